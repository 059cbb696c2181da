//! `show`, `delete` and `flush` act on what is named and nothing else; `change` changes
//! what is named and nothing else.

use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::contract;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{add_address, veth, Namespace};
use ip_mptcp_tests::program::Run;
use ip_mptcp_tests::wait::{skip, until};

const TABLE: &str = include_str!("../data/select.txt");

#[test]
fn selectors_pick_the_endpoints_that_match_all_of_them() {
    contract::check("select.txt", TABLE);
}

#[test]
fn selectors_that_fail_do_so_in_json_too() {
    contract::check_failures_in_json("select.txt", TABLE);
}

/// From each of the four states of the two bits that may change, with each way to name
/// none, one or both of them.
#[test]
fn change_sets_and_clears_just_the_bits_it_names() {
    const BITS: [(&str, &str, &str); 2] = [
        ("backup", "nobackup", "backup"),
        ("fullmesh", "nofullmesh", "fullmesh"),
    ];
    for start in 0..4_usize {
        for asked in 0..9_usize {
            let Some(_namespace) = Namespace::fresh() else {
                return;
            };
            let mut before = "10.0.0.1 id 5 subflow".to_string();
            let mut after = before.clone();
            let mut command = "endpoint change id 5".to_string();
            for (at, (set, clear, flag)) in BITS.iter().enumerate() {
                let had = start >> at & 1 == 1;
                let wanted = match asked / 3_usize.pow(at as u32) % 3 {
                    0 => None,
                    1 => Some(true),
                    _ => Some(false),
                };
                if let Some(wanted) = wanted {
                    command += &format!(" {}", if wanted { set } else { clear });
                }
                if had {
                    before += &format!(" {flag}");
                }
                if wanted.unwrap_or(had) {
                    after += &format!(" {flag}");
                }
            }
            kernel::add(&before);
            Run::tool(&command).run().success();
            let found = kernel::endpoints()[0].to_string();
            assert_eq!(found, after, "{command}, on {before}");
        }
    }
}

/// The newest kernels keep up to 255 endpoints, which no longer fit one datagram.
#[test]
fn selecting_works_on_as_many_endpoints_as_the_kernel_takes() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let mut count = 0;
    for host in 1..=254 {
        let text = format!("10.0.0.{host} id {host} subflow");
        if kernel::try_add(&text.parse().expect("an endpoint")).is_err() {
            break;
        }
        count = host;
    }
    let shown = Run::tool("endpoint show").run().success().stdout();
    let line = |host| format!("10.0.0.{host} id {host} subflow \n");
    let expected: Vec<_> = (1..=count).map(line).collect();
    assert_eq!(shown, expected.concat());
    Run::tool("endpoint delete subflow").run().success();
    assert!(kernel::endpoints().is_empty(), "{:?}", kernel::endpoints());
}

/// The kernel makes an endpoint itself for the local address of a subflow to an announced
/// address; nobody else can, but it can be seen, selected, and replaced.
#[test]
fn endpoints_that_the_kernel_created_are_shown_and_can_be_replaced() {
    let Some(_near) = Namespace::fresh() else {
        return;
    };
    if kernel::version() < (5, 18) {
        skip("this kernel makes no implicit endpoints");
        return;
    }
    let far = Namespace::another();
    let address = |text: &str| text.parse().expect("an address");
    for link in 0..2 {
        let (near_name, far_name) = (format!("near{link}"), format!("far{link}"));
        veth(&near_name, &far_name, Some(&far));
        add_address(&near_name, address(&format!("10.0.{link}.1")), 24);
        far.inside(|| add_address(&far_name, address(&format!("10.0.{link}.2")), 24));
    }
    kernel::set_limits(1, 2);
    let listener = far.inside(|| {
        kernel::add("10.0.1.2 id 1 signal");
        listen("10.0.0.2:0")
    });
    let connection = Connection::open(&listener);
    let made = until("an endpoint made by the kernel", || {
        connection.exchange(1);
        kernel::endpoints().pop()
    });
    assert_eq!(made.to_string(), "10.0.1.1 id 1 implicit");
    for words in ["", "show implicit", "show 10.0.1.1", "show id 1"] {
        let shown = Run::tool("endpoint").words(words).run().success().stdout();
        assert_eq!(shown, "10.0.1.1 id 1 implicit \n");
    }
    let shown = Run::tool("-j endpoint").run().success().stdout();
    assert_eq!(
        shown,
        "[{\"address\":\"10.0.1.1\",\"id\":1,\"implicit\":true}]\n"
    );
    let refused = Run::tool("endpoint change id 1 fullmesh").run().failure(2);
    assert_eq!(refused.stderr(), "Error: invalid addr flags.\n");
    Run::tool("endpoint add 10.0.1.1 subflow").run().success();
    let now: Vec<_> = kernel::endpoints().iter().map(|e| e.to_string()).collect();
    assert_eq!(now, ["10.0.1.1 id 1 subflow"]);
}
