//! The attributes of an event, once for all contenders.

use crate::jobs::Address;

/// Calls a macro with all of them: number, netlink-bindings' name, the field and what it
/// holds; of an address the numbers and names of both families.
macro_rules! attributes {
    ($use:ident $($with:tt)*) => {
        $use! {
            ($($with)*)
            numbers {
                1 Token token: u32, 2 Family family: u16, 3 LocId loc_id: u8,
                4 RemId rem_id: u8, 9 Sport sport: be16, 10 Dport dport: be16,
                11 Backup backup: u8, 12 Error error: u8, 13 Flags flags: u16,
                14 Timeout timeout: u32, 15 IfIdx if_idx: u32,
                16 ResetReason reset_reason: u32, 17 ResetFlags reset_flags: u32,
                18 ServerSide server_side: u8,
            }
            addresses { 5 Saddr4 6 Saddr6 source, 7 Daddr4 8 Daddr6 destination, }
        }
    };
}
pub(crate) use attributes;

/// In network order.
#[allow(non_camel_case_types)]
type be16 = u16;

macro_rules! event {
    (
        ()
        numbers { $( $number:literal $_name:ident $field:ident: $type:ident, )+ }
        addresses { $( $_four:literal $_four_name:ident $_six:literal $_six_name:ident $address:ident, )+ }
    ) => {
        /// What all contenders read of an event; what is absent counts as 0.
        #[derive(Default)]
        pub struct Event {
            pub command: u8,
            $( pub $field: $type, )+
            $( pub $address: Address, )+
        }

        impl Event {
            #[inline(always)]
            pub fn sum(&self) -> u64 {
                let sum = u64::from(self.command);
                $( let sum = sum.wrapping_add(u64::from(self.$field) << $number); )+
                $( let sum = sum.rotate_left(8).wrapping_add(self.$address.sum()); )+
                sum
            }
        }
    };
}
attributes!(event);
