//! `tests/captures/record` writes what the other captures are read from.

use ip_mptcp_tests::captures;
use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::documents::{installed, workspace, Folder};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::lock::Listening;
use ip_mptcp_tests::monitor::listeners;
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{strace, Run};
use ip_mptcp_tests::wait::until;
use mptcp_codec::mptcp::{Endpoint, Event, EventKind};
use mptcp_codec::netlink::{Content, Message, Messages};

fn record(folder: &Folder, words: &str) -> Run {
    Run::program(&workspace().join("tests/captures/record"))
        .env("PATH", &folder.search_path())
        .words(words)
}

fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let all = Messages::new(datagram).map(|message| message.expect("well-formed"));
    all.filter(|message| matches!(message.content(), Ok(Content::Data)))
}

#[test]
fn what_is_recorded_is_what_was_said() {
    if Namespace::fresh().is_none() || strace().is_none() || installed("awk").is_none() {
        return;
    }
    kernel::add("10.0.0.1 id 5 subflow");
    let folder = Folder::new("record");
    let mut text = record(&folder, "").run().success().stdout();
    let dump = record(&folder, "24-dump ip-mptcp endpoint show").run();
    text += &dump.stdout();
    assert!(dump.stderr().contains("10.0.0.1 id 5"), "{}", dump.report());

    let listening = Listening::allowed();
    let events = record(&folder, "-l open ip-mptcp monitor --count 2").start();
    until("the subscription", || (listeners() > 0).then_some(()));
    let _connection = Connection::open(&listen("127.0.0.1:0"));
    let events = events.finish();
    assert_eq!(events.code(), 0, "{}", events.report());
    text += &events.stdout();
    drop(listening);

    let capture = captures::read("recorded", text.leak());
    assert!(capture.word_bits >= 32 && !capture.kernel.is_empty());
    let names: Vec<_> = capture.exchanges.iter().map(|one| one.name).collect();
    assert_eq!(names, ["24-dump", "24-dump-2"]);
    let replies = &capture.exchange("24-dump-2").replies;
    let endpoints: Vec<_> = replies
        .iter()
        .flat_map(|datagram| messages(datagram))
        .map(|message| Endpoint::decode(&message).expect("well-formed"))
        .collect();
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].id(), Some(5));
    let kinds: Vec<_> = capture
        .events("open")
        .iter()
        .flat_map(|datagram| messages(datagram))
        .map(|message| Event::decode(&message).expect("well-formed").kind)
        .collect();
    assert!(kinds.contains(&EventKind::Created), "{kinds:?}");
}
