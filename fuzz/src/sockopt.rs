//! What getsockopt gives.

use std::net::IpAddr;

use mptcp_codec::diag::sockopt::{FullInfo, FullSubflow, SubflowAddresses, Subflows};
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::Error;

use super::{is_within, print_all, reference};

/// Reads the bytes as each structure.
pub fn run(data: &[u8]) {
    one::<Little>(data, false);
    one::<Big>(data, true);
}

fn one<E: Order>(data: &[u8], big: bool) {
    let order = reference::Order { big };
    let word = |at: usize| data.get(at..at + 4).map(|b| order.u32(b) as usize);
    let subflows = Subflows::<E>::decode(data);
    match subflows {
        Ok(subflows) => {
            print_all!(subflows);
            let header = word(0).expect("accepted");
            let element = word(12).expect("accepted");
            assert!((16..=data.len()).contains(&header));
            let rest = data.len() - header;
            assert!(
                rest == 0 || (element > 0 && rest % element == 0),
                "a cut element"
            );
            assert_eq!(Some(subflows.total as usize), word(4));
            assert_eq!(Some(subflows.size_kernel as usize), word(8));
            // Each begins where the space for it does; what the kernel did not
            // fill is none of it.
            let filled = element.min(subflows.size_kernel as usize);
            let count = (rest / element.max(1)).min(subflows.total as usize);
            let wanted: Vec<&[u8]> = (0..count)
                .map(|n| &data[header + n * element..][..filled])
                .collect();
            let got: Vec<&[u8]> = subflows.elements().collect();
            assert_eq!(got, wanted);
            assert!(got.iter().all(|element| is_within(element, data)));
            let infos: Vec<&[u8]> = subflows.tcp_infos().map(|info| info.as_bytes()).collect();
            assert_eq!(infos, wanted);
            for (info, bytes) in subflows.tcp_infos().zip(&wanted) {
                print_all!(info);
                let rtt = bytes.get(68..72).map(|b| order.u32(b));
                assert_eq!((info.state(), info.rtt()), (bytes.first().copied(), rtt));
            }
            for (ends, bytes) in subflows.addresses().zip(&wanted) {
                print_all!(ends);
                same_ends(ends, bytes, order);
            }
        }
        Err(error) => {
            print_all!(error);
            // Each reason to refuse, and no other.
            let fits = data.len() >= 16
                && word(0).is_some_and(|len| {
                    (16..=data.len()).contains(&len)
                        && word(12).is_some_and(|element| match data.len() - len {
                            0 => true,
                            rest => element > 0 && rest % element == 0,
                        })
                });
            assert!(!fits, "refused, but well-formed: {error}");
        }
    }
    let addresses = SubflowAddresses::decode::<E>(data);
    print_all!(addresses);
    same_ends(addresses, data, order);
    let subflow = FullSubflow::decode::<E>(data);
    print_all!(subflow);
    assert_eq!(subflow.is_ok(), matches!(data.len(), 260 | 264));
    if let Ok(subflow) = subflow {
        assert_eq!(Some(subflow.id as usize), word(0));
        same_ends(Ok(subflow.addresses), &data[data.len() - 256..], order);
    }
    let info = FullInfo::<E>::decode(data);
    print_all!(info);
    assert_eq!(info.is_ok(), data.len() >= 40);
    if let Ok(info) = info {
        assert_eq!(info.info.as_bytes(), &data[40..]);
        let numbers = [
            info.size_tcpinfo_kernel,
            info.size_tcpinfo_user,
            info.size_sfinfo_kernel,
            info.size_sfinfo_user,
            info.num_subflows,
            info.size_arrays_user,
        ];
        for (number, at) in numbers.into_iter().zip((0..).step_by(4)) {
            assert_eq!(Some(number as usize), word(at), "byte {at}");
        }
    }
}

/// Two ends in 128 bytes each, read by hand.
fn same_ends(codec: Result<SubflowAddresses, Error>, bytes: &[u8], order: reference::Order) {
    let end = |bytes: &[u8]| {
        let port = u16::from_be_bytes([bytes[2], bytes[3]]);
        let address = match order.u16(&bytes[..2]) {
            2 => IpAddr::from(<[u8; 4]>::try_from(&bytes[4..8]).expect("four")),
            10 => IpAddr::from(<[u8; 16]>::try_from(&bytes[8..24]).expect("sixteen")),
            _ => return None,
        };
        Some((address, port))
    };
    match codec {
        Ok(ends) => {
            assert_eq!(bytes.len(), 256);
            let (local, remote) = bytes.split_at(128);
            assert_eq!((ends.local, ends.remote), (end(local), end(remote)));
        }
        Err(error) => {
            print_all!(error);
            assert_ne!(bytes.len(), 256);
        }
    }
}
