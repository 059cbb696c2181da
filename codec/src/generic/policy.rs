//! What attributes a family takes (`CTRL_CMD_GETPOLICY`, kernel 5.7).
//!
//! ```text
//! CTRL_CMD_GETPOLICY, one of the two in each message of the dump:
//!   1 FAMILY_ID u16
//!   9 OP_POLICY [ command: { 1 DO policy u32, 2 DUMP policy u32 } ]
//!   8 POLICY [ policy: [ attribute: { 1 TYPE u32 … } ] ]
//! ```
//!
//! In the nests in square brackets the attribute's type number is an index: a
//! command, a policy, an attribute of the family. So "what does ADD_ADDR
//! take?" is the command's policy first, then all [`Entry::Attribute`]s of
//! that policy, which come later in the same dump.

use super::{controller, request, Generic};
use crate::error::{Error, ErrorKind};
use crate::netlink::{flags, Attribute, Attributes, Message, Rule, Writer};
use crate::order::{Native, Order};

const GET_POLICY: u8 = 10;
const FAMILY_ID: u16 = 1;
const POLICY: u16 = 8;
const OP_POLICY: u16 = 9;
const OP: u16 = 10;

/// Asks for the policies of the family with this id, or only of one of its commands if
/// `command` is given (kernel 5.10).
#[doc(alias = "CTRL_CMD_GETPOLICY")]
pub fn dump(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    command: Option<u8>,
) -> Result<&mut [u8], Error> {
    let flags = flags::REQUEST | flags::DUMP;
    let mut writer: Writer = request(
        buffer,
        controller::ID,
        seq,
        flags,
        GET_POLICY,
        controller::VERSION,
    );
    writer.put_u16(FAMILY_ID, family);
    if let Some(command) = command {
        writer.put_u32(OP, command.into());
    }
    writer.finish()
}

/// Something that a message of the dump describes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Entry {
    /// Which policies hold for a command.
    Command {
        /// The command.
        command: u8,
        /// The policy for doing it; absent if that is impossible.
        on_do: Option<u32>,
        /// The policy for dumping it; absent if that is impossible.
        on_dump: Option<u32>,
    },
    /// What an attribute has to be under a policy.
    Attribute {
        /// The policy.
        policy: u16,
        /// The attribute.
        attribute: u16,
        /// The rule.
        rule: Rule,
    },
}

/// The entries of a message: an iterator that ends after its first error. A command above 255,
/// which no header can name, is skipped.
#[derive(Copy, Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct Entries<'a, E: Order = Native> {
    commands: Attributes<'a, E>,
    policies: Attributes<'a, E>,
    // What is left of the policy that is being read, and its number.
    rules: Attributes<'a, E>,
    policy: u16,
}

impl<'a, E: Order> Entries<'a, E> {
    /// Reads one message of the answer to [`dump`];
    /// [`ErrorKind::WrongType`] if it is none.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let generic = Generic::decode(message)?;
        if message.header.message_type != controller::ID || generic.command != GET_POLICY {
            return Err(Error::new(ErrorKind::WrongType, 4));
        }
        let none = Attributes::at(&[], generic.attributes.offset());
        let mut entries = Self {
            commands: none,
            policies: none,
            rules: none,
            policy: 0,
        };
        for attribute in generic.attributes {
            let attribute = attribute?;
            match attribute.number() {
                POLICY => entries.policies = attribute.nested(),
                OP_POLICY => entries.commands = attribute.nested(),
                _ => {}
            }
        }
        Ok(entries)
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Option<Result<Entry, Error>> {
        let none = self.commands.continued_at(&[]);
        (self.commands, self.policies, self.rules) = (none, none, none);
        Some(Err(error))
    }

    /// The next of the commands, if there is one.
    #[inline(never)]
    fn command(&mut self) -> Option<Result<Entry, Error>> {
        loop {
            match self.commands.next()?.and_then(command) {
                Ok(Some(entry)) => return Some(Ok(entry)),
                Ok(None) => {}
                Err(error) => return self.fail(error),
            }
        }
    }

    /// The next of the rules.
    #[inline(never)]
    fn rule(&mut self) -> Option<Result<Entry, Error>> {
        let attribute = match self.rules.next()? {
            Ok(attribute) => attribute,
            Err(error) => return self.fail(error),
        };
        match Rule::from_attributes(attribute.nested()) {
            Ok(rule) => Some(Ok(Entry::Attribute {
                policy: self.policy,
                attribute: attribute.number(),
                rule,
            })),
            Err(error) => self.fail(error),
        }
    }
}

impl<E: Order> Iterator for Entries<'_, E> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.command() {
                return Some(entry);
            }
            if !self.rules.as_bytes().is_empty() {
                return self.rule();
            }
            match self.policies.next()? {
                Ok(policy) => {
                    self.policy = policy.number();
                    self.rules = policy.nested();
                }
                Err(error) => return self.fail(error),
            }
        }
    }
}

impl<E: Order> core::iter::FusedIterator for Entries<'_, E> {}

attribute_set! {
    /// Which policies hold for a command (`CTRL_ATTR_POLICY_*`).
    struct CommandPolicies {
        /// When it is done.
        1 DO on_do / with_on_do: u32,
        /// When it is dumped.
        2 DUMP on_dump / with_on_dump: u32,
    }
}

fn command<E: Order>(entry: Attribute<'_, E>) -> Result<Option<Entry>, Error> {
    let policies = CommandPolicies::from_attributes(entry.nested())?;
    let command = u8::try_from(entry.number()).ok();
    Ok(command.map(|command| Entry::Command {
        command,
        on_do: policies.on_do(),
        on_dump: policies.on_dump(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Little;
    use crate::testing::{bytes, message, Vec};

    fn entries(hexadecimal: &str) -> Vec<Result<Entry, ErrorKind>> {
        let bytes = bytes(hexadecimal);
        let entries = Entries::decode(&message::<Little>(&bytes)).unwrap();
        entries.map(|entry| entry.map_err(|e| e.kind())).collect()
    }

    #[test]
    fn a_command_names_its_policies() {
        let got = entries(
            "34000000 1000 0200 67000000 01000000 0a020000 0600 0100 1e000000
             1800 0980 1400 0380 0800 0100 03000000 0800 0200 04000000",
        );
        let wanted = Entry::Command {
            command: 3,
            on_do: Some(3),
            on_dump: Some(4),
        };
        assert_eq!(got, [Ok(wanted)]);
    }

    #[test]
    fn a_command_that_no_header_can_name_is_passed_over() {
        let got = entries(
            "30000000 1000 0200 67000000 01000000 0a020000
             1c00 0980 0c00 0081 0800 0100 03000000 0c00 ff80 0800 0200 04000000",
        );
        let wanted = Entry::Command {
            command: 255,
            on_do: None,
            on_dump: Some(4),
        };
        assert_eq!(got, [Ok(wanted)]);
    }

    #[test]
    fn an_attribute_has_its_rule() {
        let got = entries(
            "48000000 1000 0200 67000000 01000000 0a020000 0600 0100 1e000000
             2c00 0880 2800 0180 2400 0280 0c00 0400 0000000000000000 0c00 0500 ff00000000000000
             0800 0100 02000000",
        );
        let rule = Rule::EMPTY.with_min(0).with_max(255).with_type_number(2);
        assert_eq!(rule.type_name(), Some("u8"));
        let wanted = Entry::Attribute {
            policy: 1,
            attribute: 2,
            rule,
        };
        assert_eq!(got, [Ok(wanted)]);
    }
}
