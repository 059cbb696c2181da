//! Fields that text and JSON name differently, or that text does not name at all.

use super::{Colour, Output, Units};

/// A field of a record: its name in JSON and what precedes its value in text. The format
/// for which that is empty leaves the field out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Item {
    // Where the front and, after it, the name are in `TEXTS`.
    start: u16,
    // The length of the front in the lower bits, and above them how the value looks.
    front: u8,
    name: u8,
}

/// The bits of `front` that are the length.
const FRONT: u8 = UNLESS_ZERO - 1;
/// Left out of text if 0; written in units where those are wanted.
const UNLESS_ZERO: u8 = 1 << 5;
/// Written in units where those are wanted, even if 0.
const AMOUNT: u8 = 1 << 6;
/// Coloured as something wrong.
const WRONG: u8 = 1 << 7;

/// A row for each: its name here, its name in JSON, its front in text, how it looks. The texts
/// are one string: a slice for each would double the size.
macro_rules! items {
    ($($item:ident $name:literal $front:literal $($look:ident)|*;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Row {
            $($item),*
        }
        static TEXTS: &str = concat!($($front, $name),*);
        const ITEMS: [Item; [$($name),*].len()] = items(&[
            $(($name, $front, 0 $(| $look)*)),*
        ]);
        #[allow(missing_docs)]
        impl Item {
            $(pub const $item: Self = ITEMS[Row::$item as usize];)*
        }
    };
}

const fn items<const N: usize>(rows: &[(&str, &str, u8); N]) -> [Item; N] {
    let mut items = [Item {
        start: 0,
        name: 0,
        front: 0,
    }; N];
    let (mut at, mut start) = (0, 0);
    while at < N {
        let (name, front, look) = rows[at];
        assert!(front.len() <= FRONT as usize);
        items[at] = Item {
            start,
            name: name.len() as u8,
            front: front.len() as u8 | look,
        };
        start += name.len() as u16 + front.len() as u16;
        at += 1;
    }
    items
}

items! {
    // Of connections.
    TOKEN "token" "token ";
    ROLE "role" " ";
    STATE "state" " ";
    WRONG_STATE "state" " " WRONG;
    LISTEN "state" "";
    FALLBACK "fallback" " FALLBACK" WRONG;
    INCOMPLETE "incomplete" " INCOMPLETE" WRONG;
    LOST "lost" " LOST " UNLESS_ZERO | WRONG;
    SUBFLOWS "" " subflows ";
    PENDING "pending" " pending ";
    BACKLOG "backlog" " backlog ";
    UID "uid" "";
    INODE "inode" "";
    // Of their subflows.
    FLAGS "flags" "";
    KIND "kind" "    ";
    LOCAL_ID "local_id" " id ";
    REMOTE_ID "remote_id" "/";
    ENDPOINT "endpoint" " endpoint ";
    DEV "dev" " dev ";
    BACKUP "backup" " backup";
    BACKUP_REMOTE "backup_remote" " backup_remote";
    NOT_ESTABLISHED "" " not_fully_established" WRONG;
    SHARE "share_percent" " share ";
    RTT "" " rtt ";
    RTT_US "rtt_us" "";
    RTTVAR_US "rttvar_us" "";
    CWND "cwnd" " cwnd ";
    RETRANSMITS "retransmits" "";
    WRONG_RETRANSMITS "" " retransmits " UNLESS_ZERO | WRONG;
    TOKEN_REM "token_rem" " token_rem ";
    RELWRITE_SEQ "relwrite_seq" " relwrite_seq ";
    MAP_SEQ "map_seq" " map_seq ";
    MAP_SFSEQ "map_sfseq" " map_sfseq ";
    SSN_OFFSET "ssn_offset" " ssn_offset ";
    MAP_DATALEN "map_datalen" " map_datalen ";
    // Of both of them.
    BYTES_SENT "bytes_sent" " sent " UNLESS_ZERO;
    BYTES_RECEIVED "bytes_received" " received " UNLESS_ZERO;
    BYTES_ACKED "bytes_acked" " acked " UNLESS_ZERO;
    BYTES_RETRANS "bytes_retrans" " retransmitted " UNLESS_ZERO;
    LAST_DATA_SENT "last_data_sent_ms" "";
    LAST_DATA_RECV "last_data_recv_ms" "";
    LAST_ACK_RECV "last_ack_recv_ms" "";
    LAST "" " last ";
    // Of status.
    CONNECTIONS "connections" " " AMOUNT;
    SUBFLOWS_OF_DEV "subflows" " " AMOUNT;
    VALUE "value" "";
    DEFAULT "default" " (default ";
    PRESENCE "state" "";
    // Of findings.
    LEVEL "level" "";
    CHECK "check" " ";
    MESSAGE "message" ": ";
    EVIDENCE "evidence" "\n    evidence: ";
    REMEDY "remedy" "\n    remedy: ";
}

impl Item {
    fn looks(self, look: u8) -> bool {
        self.front & look != 0
    }

    /// Whether it is in text.
    pub const fn is_in_text(self) -> bool {
        self.front & FRONT != 0
    }

    /// Its name in JSON.
    fn name(self) -> &'static str {
        let start = usize::from(self.start) + usize::from(self.front & FRONT);
        let end = start + usize::from(self.name);
        TEXTS.get(start..end).unwrap_or("")
    }

    /// What precedes it in text.
    fn front(self) -> &'static [u8] {
        let start = usize::from(self.start);
        let end = start + usize::from(self.front & FRONT);
        TEXTS.as_bytes().get(start..end).unwrap_or(b"")
    }
}

impl Output {
    /// Begins a field: its key, or its front in the colour of the whole field.
    pub fn begin_item(&mut self, item: Item) {
        match self.style.json {
            true => self.key(item.name()),
            false => self.begin_text(item),
        }
    }

    /// In text, begins it.
    #[inline]
    fn begin_text(&mut self, item: Item) {
        match item.looks(WRONG) || self.wraps() {
            true => self.begin_apart(item),
            false => self.bytes(item.front()),
        }
    }

    /// The same if the line may be broken here, or a colour begins.
    #[cold]
    fn begin_apart(&mut self, item: Item) {
        let mut front = item.front();
        if let [b' ', rest @ ..] = front {
            self.may_break();
            self.byte(b' ');
            front = rest;
        }
        if item.looks(WRONG) {
            self.begin_colour(Colour::Wrong);
        }
        self.bytes(front);
    }

    /// In text, ends it.
    fn end_text(&mut self, item: Item) {
        if item.looks(WRONG) {
            self.end_colour();
        }
    }

    /// A property: true or false in JSON; in text only its front, if true.
    pub fn item_bool(&mut self, item: Item, is: bool) {
        if !self.style.json {
            if is {
                self.begin_text(item);
                self.end_text(item);
            }
        } else if item.name != 0 {
            self.json_bool(item.name(), is);
        }
    }

    /// A string.
    pub fn item_string(&mut self, item: Item, value: &[u8]) {
        if self.style.json {
            self.json_string(item.name(), value);
        } else {
            self.begin_text(item);
            self.bytes(value);
            self.end_text(item);
        }
    }

    /// The name of an interface.
    pub fn item_interface(&mut self, item: Item, name: &[u8]) {
        if self.style.json {
            self.json_string(item.name(), name);
        } else {
            self.begin_text(item);
            self.coloured(Colour::Interface, name);
        }
    }

    /// A number.
    pub fn item_number(&mut self, item: Item, value: u64) {
        if self.style.json {
            if item.name != 0 {
                self.json_number(item.name(), value);
            }
            return;
        }
        let mut front = item.front();
        if item.front > FRONT {
            if value == 0 && !item.looks(AMOUNT) {
                return;
            }
            if item.looks(WRONG) || self.style.units != Units::Raw {
                self.begin_text(item);
                self.amount(value);
                self.end_text(item);
                return;
            }
        } else if front.is_empty() {
            return;
        }
        if self.wraps() {
            self.begin_apart(item);
            front = b"";
        }
        self.text.named(front, value);
    }

    /// A number, if there is one.
    pub fn item_some(&mut self, item: Item, value: Option<u64>) {
        if let Some(value) = value {
            self.item_number(item, value);
        }
    }

    /// In text, a time in microseconds as milliseconds, unless it is 0.
    pub fn item_milliseconds(&mut self, item: Item, microseconds: u32) {
        if microseconds != 0 && !self.style.json {
            self.begin_text(item);
            self.text.decimal(microseconds.into(), 3);
        }
    }
}
