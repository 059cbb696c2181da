//! What `getsockopt(SOL_MPTCP)` returns for one of your own sockets (`linux/mptcp.h`).
//!
//! ```text
//! MPTCP_TCPINFO (2), MPTCP_SUBFLOW_ADDRS (3):  MPTCP_FULL_INFO (4):
//! | size_subflow_data u32 |                    | size_tcpinfo_kernel u32 |
//! | num_subflows      u32 |                    | size_tcpinfo_user   u32 |
//! | size_kernel       u32 |                    | size_sfinfo_kernel  u32 |
//! | size_user         u32 |                    | size_sfinfo_user    u32 |
//! | element, size_user bytes | …               | num_subflows        u32 |
//!                                              | size_arrays_user    u32 |
//! MPTCP_INFO (1): struct mptcp_info            | subflow_info: pointer   |
//!                                              | tcp_info: pointer       |
//!                                              | struct mptcp_info …     |
//! ```
//!
//! The caller sets `size_subflow_data` (16) and `size_user` before the call,
//! see [`header`] and [`full_header`]; the kernel fills the rest and cuts or pads
//! each element to `size_user`. MPTCP_INFO is a [`MptcpInfo`] as it is.

use core::net::IpAddr;

use super::{MptcpInfo, TcpInfo};
use crate::error::{Error, ErrorKind};
use crate::inet;
use crate::order::{Native, Order};

/// `SOL_MPTCP`: the level of these options.
#[doc(alias = "SOL_MPTCP")]
pub const LEVEL: i32 = 284;
/// `MPTCP_INFO`: a [`MptcpInfo`].
#[doc(alias = "MPTCP_INFO")]
pub const INFO: i32 = 1;
/// `MPTCP_TCPINFO`: [`Subflows`] of [`TcpInfo`] (kernel 5.16).
#[doc(alias = "MPTCP_TCPINFO")]
pub const TCPINFO: i32 = 2;
/// `MPTCP_SUBFLOW_ADDRS`: [`Subflows`] of [`SubflowAddresses`] (kernel 5.16).
#[doc(alias = "MPTCP_SUBFLOW_ADDRS")]
pub const SUBFLOW_ADDRS: i32 = 3;
/// `MPTCP_FULL_INFO`: a [`FullInfo`] (kernel 6.5).
#[doc(alias = "MPTCP_FULL_INFO")]
pub const FULL_INFO: i32 = 4;

/// Length of `struct mptcp_subflow_data`.
pub const HEADER_LEN: usize = 16;
/// Length of `struct mptcp_subflow_addrs`: two `sockaddr_storage`.
pub const SUBFLOW_ADDRS_LEN: usize = 256;
const SOCKADDR_STORAGE: usize = 128;

/// The header to put before the space for an answer of elements of
/// `element` bytes: `struct mptcp_subflow_data` as the kernel wants it.
pub fn header(element: u32) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..4].copy_from_slice(&Native::put_u32(HEADER_LEN as u32));
    bytes[12..].copy_from_slice(&Native::put_u32(element));
    bytes
}

/// The start of the space for an answer to [`FULL_INFO`], whose rest takes
/// `struct mptcp_info`: `struct mptcp_full_info` as the kernel wants it. `count`
/// elements fit into each array; of both arrays the length of an element, such as
/// 264 of [`FullSubflow`] and 280 of [`TcpInfo`], and the address as a number
/// (`as_mut_ptr() as u64`).
pub fn full_header(count: u32, subflows: (u32, u64), tcp_infos: (u32, u64)) -> [u8; FULL_FIXED] {
    let mut bytes = [0; FULL_FIXED];
    bytes[4..8].copy_from_slice(&Native::put_u32(tcp_infos.0));
    bytes[12..16].copy_from_slice(&Native::put_u32(subflows.0));
    bytes[20..24].copy_from_slice(&Native::put_u32(count));
    bytes[24..32].copy_from_slice(&Native::put_u64(subflows.1));
    bytes[32..].copy_from_slice(&Native::put_u64(tcp_infos.1));
    bytes
}

/// `struct mptcp_subflow_data` and the elements after it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "mptcp_subflow_data")]
pub struct Subflows<'a, E: Order = Native> {
    /// How many subflows the connection has: more than there are elements if the space was not
    /// enough.
    pub total: u32,
    /// The kernel's size of an element. What exceeds the elements here was cut off.
    pub size_kernel: u32,
    element: usize,
    elements: &'a [u8],
    order: core::marker::PhantomData<E>,
}

impl<'a, E: Order> Subflows<'a, E> {
    /// Reads what the kernel wrote, without unused space. Refuses a header that does not
    /// fit, elements of size 0, and a last one that is cut off.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let Some((head, _)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(Error::new(ErrorKind::Truncated, 0));
        };
        let [header_len, total, size_kernel, element] = words::<E, 4>(head);
        let Some(elements) = bytes.get(header_len as usize..) else {
            return Err(Error::new(ErrorKind::BadLength, 0));
        };
        let element = element as usize;
        if (header_len as usize) < HEADER_LEN
            || (element == 0 && !elements.is_empty())
            || elements.len().checked_rem(element).unwrap_or(0) != 0
        {
            return Err(Error::new(ErrorKind::BadLength, 12));
        }
        Ok(Self {
            total,
            size_kernel,
            element,
            elements,
            order: core::marker::PhantomData,
        })
    }

    /// The elements as bytes, each of the size that the caller asked for or of the kernel's
    /// size, whichever is less.
    pub fn elements(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        let filled = self.element.min(self.size_kernel as usize);
        self.elements
            .chunks(self.element.max(1))
            .take(self.total as usize)
            .filter_map(move |chunk| chunk.get(..filled))
    }

    /// The elements of an answer to [`TCPINFO`].
    pub fn tcp_infos(&self) -> impl Iterator<Item = TcpInfo<'a, E>> + 'a
    where
        E: 'a,
    {
        self.elements().map(TcpInfo::with_order)
    }

    /// The elements of an answer to [`SUBFLOW_ADDRS`].
    pub fn addresses(&self) -> impl Iterator<Item = Result<SubflowAddresses, Error>> + 'a
    where
        E: 'a,
    {
        self.elements().map(SubflowAddresses::decode::<E>)
    }
}

/// The two ends of a subflow (`struct mptcp_subflow_addrs`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[doc(alias = "mptcp_subflow_addrs")]
pub struct SubflowAddresses {
    /// Local address and port; `None` if the family is not one of the Internet.
    pub local: Option<(IpAddr, u16)>,
    /// Address and port of the peer.
    pub remote: Option<(IpAddr, u16)>,
}

impl SubflowAddresses {
    /// Reads the 256 bytes; [`ErrorKind::BadSize`] if there are not exactly that many.
    pub fn decode<E: Order>(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_at_checked(SOCKADDR_STORAGE) {
            Some((local, remote)) if remote.len() == SOCKADDR_STORAGE => Ok(Self {
                local: inet::from_sockaddr::<E>(local)?,
                remote: inet::from_sockaddr::<E>(remote)?,
            }),
            _ => Err(Error::new(ErrorKind::BadSize, 0)),
        }
    }
}

/// One element of the array `subflow_info` of [`FULL_INFO`] (`struct
/// mptcp_subflow_info`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[doc(alias = "mptcp_subflow_info")]
pub struct FullSubflow {
    /// Number of the subflow within its connection, starting at 1.
    pub id: u32,
    /// Its two ends.
    pub addresses: SubflowAddresses,
}

impl FullSubflow {
    /// Reads an element: the id, and the addresses at its end, which 64-bit machines align to 8
    /// bytes. Any other length is [`ErrorKind::BadSize`].
    pub fn decode<E: Order>(bytes: &[u8]) -> Result<Self, Error> {
        let addresses = bytes
            .len()
            .checked_sub(SUBFLOW_ADDRS_LEN)
            .filter(|at| matches!(at, 4 | 8))
            .and_then(|at| bytes.get(at..));
        match (bytes.first_chunk(), addresses) {
            (Some(id), Some(addresses)) => Ok(Self {
                id: E::u32(*id),
                addresses: SubflowAddresses::decode::<E>(addresses)?,
            }),
            _ => Err(Error::new(ErrorKind::BadSize, 0)),
        }
    }
}

/// Length of `struct mptcp_full_info` before `struct mptcp_info`.
pub const FULL_FIXED: usize = 40;

/// `struct mptcp_full_info`: the connection, and where the kernel put the
/// arrays of [`FullSubflow`] and [`TcpInfo`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "mptcp_full_info")]
pub struct FullInfo<'a, E: Order = Native> {
    /// How large `struct tcp_info` is to the kernel.
    pub size_tcpinfo_kernel: u32,
    /// How large an element of the array `tcp_info` is.
    pub size_tcpinfo_user: u32,
    /// How large `struct mptcp_subflow_info` is to the kernel.
    pub size_sfinfo_kernel: u32,
    /// How large an element of the array `subflow_info` is.
    pub size_sfinfo_user: u32,
    /// How many subflows the connection has.
    pub num_subflows: u32,
    /// How many elements the arrays have.
    pub size_arrays_user: u32,
    /// The connection.
    pub info: MptcpInfo<'a, E>,
}

impl<'a, E: Order> FullInfo<'a, E> {
    /// Reads what the kernel wrote.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let Some((fixed, info)) = bytes.split_first_chunk::<FULL_FIXED>() else {
            return Err(Error::new(ErrorKind::Truncated, 0));
        };
        let [tcpinfo_kernel, tcpinfo_user, sfinfo_kernel, sfinfo_user, subflows, arrays] =
            words::<E, 6>(fixed);
        Ok(Self {
            size_tcpinfo_kernel: tcpinfo_kernel,
            size_tcpinfo_user: tcpinfo_user,
            size_sfinfo_kernel: sfinfo_kernel,
            size_sfinfo_user: sfinfo_user,
            num_subflows: subflows,
            size_arrays_user: arrays,
            info: MptcpInfo::with_order(info),
        })
    }
}

/// The 32-bit numbers that `bytes` begins with.
fn words<E: Order, const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut numbers = [0; N];
    for (number, chunk) in numbers.iter_mut().zip(bytes.chunks_exact(4)) {
        if let Some(chunk) = chunk.first_chunk() {
            *number = E::u32(*chunk);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, Vec};
    use core::net::Ipv4Addr;

    fn addresses(local_port: &str) -> Vec<u8> {
        let mut local = bytes(local_port);
        local.resize(SOCKADDR_STORAGE, 0);
        local
    }

    fn subflow(order_is_little: bool) -> Vec<u8> {
        let family = if order_is_little { "0200" } else { "0002" };
        let mut text = crate::testing::Vec::from(family.as_bytes());
        text.extend(b"c2387f000001");
        let mut element = addresses(core::str::from_utf8(&text).unwrap());
        text[4..8].copy_from_slice(b"1388");
        element.extend(addresses(core::str::from_utf8(&text).unwrap()));
        element
    }

    #[test]
    fn the_ends_of_a_subflow_are_read_in_both_orders() {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let wanted = SubflowAddresses {
            local: Some((localhost, 49720)),
            remote: Some((localhost, 5000)),
        };
        let mut little = bytes("10000000 01000000 00010000 00010000");
        little.extend(subflow(true));
        let subflows = Subflows::<Little>::decode(&little).unwrap();
        assert_eq!(subflows.addresses().collect::<Vec<_>>(), [Ok(wanted)]);
        let mut big = bytes("00000010 00000001 00000100 00000100");
        big.extend(subflow(false));
        let subflows = Subflows::<Big>::decode(&big).unwrap();
        assert_eq!(subflows.addresses().collect::<Vec<_>>(), [Ok(wanted)]);
    }

    #[test]
    fn elements_that_do_not_fit_are_refused() {
        for wrong in [
            "10000000 01000000 00010000 000100",
            "11000000 00000000 00010000 00010000",
            "0f000000 00000000 00010000 00010000 00",
            "10000000 01000000 00010000 00000000 00",
            "10000000 01000000 00010000 00010000 00",
        ] {
            assert!(
                Subflows::<Little>::decode(&bytes(wrong)).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_header_is_what_the_kernel_wants() {
        let subflows = Subflows::<crate::order::Native>::decode(&[0; 16]);
        assert!(subflows.is_err());
        let header = header(256);
        let subflows = Subflows::<crate::order::Native>::decode(&header).unwrap();
        assert_eq!((subflows.total, subflows.elements().count()), (0, 0));
    }

    #[test]
    fn elements_are_as_many_and_as_long_as_is_said() {
        let elements = |head: &str| -> Vec<Vec<u8>> {
            let bytes = bytes(&[head, "0102030405060708090a0b0c"].concat());
            let subflows = Subflows::<Little>::decode(&bytes).unwrap();
            subflows.elements().map(Vec::from).collect()
        };
        // Two of the three that there is space for, each with less than its space.
        let two = elements("10000000 02000000 03000000 04000000");
        assert_eq!(two, [[1, 2, 3], [5, 6, 7]]);
        let cut = elements("10000000 09000000 00010000 06000000");
        assert_eq!(cut, [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_full_header_says_where_the_arrays_are() {
        let wanted = "00000000 18010000 00000000 08010000 00000000 03000000
            8877665544332211 1000000000000000";
        let header = full_header(3, (264, 0x1122_3344_5566_7788), (280, 16));
        assert_eq!(header[..], bytes(wanted));
    }

    #[test]
    fn full_info_holds_the_connection() {
        let mut full = bytes("18010000 10010000 08010000 04010000 01000000 02000000");
        full.resize(FULL_FIXED, 0);
        full.extend(bytes("0000000800080000 02000000 5dbc9739"));
        let full = FullInfo::<Little>::decode(&full).unwrap();
        assert_eq!(
            (full.size_tcpinfo_kernel, full.size_sfinfo_kernel),
            (280, 264)
        );
        assert_eq!(
            (full.num_subflows, full.info.token()),
            (1, Some(0x3997_bc5d))
        );
        assert_eq!((full.size_tcpinfo_user, full.size_sfinfo_user), (272, 260));
        assert_eq!(full.size_arrays_user, 2);
    }
}
