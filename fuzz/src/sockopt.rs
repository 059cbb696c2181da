//! What getsockopt gives.

use mptcp_codec::diag::sockopt::{FullInfo, FullSubflow, SubflowAddresses, Subflows};
use mptcp_codec::order::{Big, Little, Order};

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
            let mut count = 0;
            for element in subflows.elements() {
                assert!(is_within(element, data));
                count += 1;
            }
            assert!(count <= subflows.total as usize);
            assert!(count <= rest / element.max(1));
            for info in subflows.tcp_infos() {
                print_all!(info);
            }
            for addresses in subflows.addresses() {
                print_all!(addresses);
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
    assert_eq!(addresses.is_ok(), data.len() == 256);
    let subflow = FullSubflow::decode::<E>(data);
    print_all!(subflow);
    assert_eq!(subflow.is_ok(), matches!(data.len(), 260 | 264));
    let info = FullInfo::<E>::decode(data);
    print_all!(info);
    assert_eq!(info.is_ok(), data.len() >= 40);
    if let Ok(info) = info {
        assert_eq!(info.info.as_bytes(), &data[40..]);
        assert_eq!(Some(info.num_subflows as usize), word(16));
    }
}
