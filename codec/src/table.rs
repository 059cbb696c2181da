//! One table an attribute set: decoder, encoder, accessors, names and docs.
//!
//! Decoding compares length and type of an attribute as one word and reads through a chunk of
//! constant size, which costs no more than a cast to a struct. `sent` after the table names
//! runs of attributes that the kernel sends together, in its order: a run of fixed length is
//! read whole, with a single length check; in any other run each attribute is compared with
//! the one expected next, without a jump. Other attributes are read one by one, and without
//! the feature `fast` all are, which is less code. An unusual attribute (with flags in the
//! type, of another length, a last one without its padding) takes the checked path through
//! [`Attributes`](crate::netlink::Attributes), which creates the errors.

/// Declares a set of attributes.
///
/// Each row is `NUMBER NAME field / with_field: kind`; it generates the constant `NAME`, the
/// method `field` that returns what was received (`None` if absent), the method `with_field`
/// that builds, and the name and type that [`Printer`](crate::print) shows. The set also has
/// `from_attributes`, `encode`, `name_of` and `unknown`.
///
/// The kinds are `u8` `u16` `u32` `u64` `i8` `i16` `i32` `i64` in the machine's
/// order, `be16` `be32` `be64` in network order, `uint` and `sint` of 4 or 8
/// bytes, `ipv4` `ipv6` `ip` (either) `mac` `bitfield32`. A set of these is a value of its
/// own. A set with a lifetime borrows from the message and keeps all that was sent; it can
/// also have `string` `bytes` `flag` `attributes`, `address` (with the length for the family
/// in the message's fixed part), `nest [Set]`, `array [Set]` (each attribute inside is one),
/// `list [u32]`, and `value [Type]` for any type that implements
/// [`Value`](crate::set::Value). A number becomes a type of your own with `u32 as Type`, see
/// [`flags!`](crate::flags) and [`numbered!`](crate::numbered).
///
/// A set has `Eq`, `Hash` and `Default`. A set that is a value can be ordered with
/// `#[derive(PartialOrd, Ord)]` before it, which is not the default: then methods named
/// `min` or `max` could not be called.
///
/// `pad NUMBER` names the attribute that only fills space before 64-bit ones.
/// `sent [NAME NAME] [NAME]` after the table names attributes that the sender writes one
/// after another, in its order: with the feature `fast` those are read faster, especially if
/// all in a bracket have a fixed length. `also { NUMBER NAME Shape::Text, }` after that
/// gives names to others, only for printing.
///
/// ```
/// use mptcp_codec::netlink::{Attributes, Header, Text, Writer};
///
/// mptcp_codec::flags! {
///     /// What a port can do.
///     pub struct PortFlags: u32 {
///         /// Sends.
///         1 SEND "send",
///     }
/// }
///
/// mptcp_codec::attribute_set! {
///     /// A port.
///     pub struct Port {
///         /// Its number.
///         1 NUMBER number / with_number: u16,
///         /// What it can do.
///         2 FLAGS flags / with_flags: u32 as PortFlags,
///     }
/// }
///
/// mptcp_codec::attribute_set! {
///     /// A device.
///     pub struct Device<'a> {
///         /// Its name.
///         1 NAME name / with_name: string,
///         /// Its ports.
///         2 PORTS ports / with_ports: array [Port],
///     }
/// }
///
/// let mut buffer = [0; 64];
/// let mut writer = Writer::new(&mut buffer, Header::default());
/// writer.put_text(Device::NAME, b"eth0").nest(Device::PORTS, |ports| {
///     let port = Port::EMPTY.with_number(7).with_flags(PortFlags::SEND);
///     ports.nest(1, |inside| port.encode(inside))
/// });
/// let message = writer.finish()?;
///
/// let device: Device = Device::from_attributes(Attributes::new(&message[16..]))?;
/// assert_eq!(device.name(), Some(Text::new("eth0").unwrap()));
/// for port in device.ports() {
///     assert_eq!(port?.flags(), Some(PortFlags::SEND));
/// }
/// assert_eq!(Device::name_of(2), Some("PORTS"));
/// # Ok::<(), mptcp_codec::Error>(())
/// ```
#[macro_export]
macro_rules! attribute_set {
    (
        $(#[$doc:meta])*
        $visible:vis struct $set:ident {
            $($rows:tt)*
        }
        $( sent $( [ $($sent:ident)+ ] )+ )?
        $( also { $( $also:literal $also_name:ident $shape:expr, )+ } )?
    ) => {
        $crate::__attribute_set! {
            owned [ $(#[$doc])* ] [$visible] $set
            // Of the struct, of its impl, and what it is then.
            [] [] []
            // How a kind is stored; the parameters of a function that reads.
            ['static $crate::order::Native] [<'x, E: $crate::order::Order>] ['x] E
            [<'w, 'b, 'x, E: $crate::order::Order>] [<'x, E: $crate::order::Order>] [] []
            // Its other fields.
            {} {}
            { $($rows)* } [ $( $( [ $($sent)+ ] )+ )? ] { $( $( $also $also_name $shape, )+ )? }
        }
    };
    (
        $(#[$doc:meta])*
        $visible:vis struct $set:ident<$a:lifetime> {
            $($rows:tt)*
        }
        $( sent $( [ $($sent:ident)+ ] )+ )?
        $( also { $( $also:literal $also_name:ident $shape:expr, )+ } )?
    ) => {
        $crate::__attribute_set! {
            lent [ $(#[$doc])* ] [$visible] $set
            [<$a, E: $crate::order::Order = $crate::order::Native>] [<$a, E: $crate::order::Order>] [<$a, E>]
            [$a E] [] [$a] E
            [<'w, 'b>] [<$a, E: $crate::order::Order>] [<$a>] [<$a>]
            { all: $crate::netlink::Attributes<$a, E>, #[allow(dead_code)] address_len: u16, }
            { all: $crate::netlink::Attributes::NONE, address_len: 0, }
            { $($rows)* } [ $( $( [ $($sent)+ ] )+ )? ] { $( $( $also $also_name $shape, )+ )? }
        }
    };
}

/// The type of a kind.
#[doc(hidden)]
#[macro_export]
macro_rules! __kind {
    ($kind:ident) => { $crate::set::kind::$kind };
    ($kind:ident as $type:ty) => { $crate::set::kind::Named<$crate::set::kind::$kind, $type> };
    ($kind:ident [$of:ty]) => { $crate::set::kind::$kind<$of> };
}

/// What the method of a kind returns, written out for the documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! __found {
    ([$a:lifetime] $E:ident $kind:ident as $type:ty) => { core::option::Option<$type> };
    ([$a:lifetime] $E:ident be16) => { core::option::Option<u16> };
    ([$a:lifetime] $E:ident be32) => { core::option::Option<u32> };
    ([$a:lifetime] $E:ident be64) => { core::option::Option<u64> };
    ([$a:lifetime] $E:ident uint) => { core::option::Option<u64> };
    ([$a:lifetime] $E:ident sint) => { core::option::Option<i64> };
    ([$a:lifetime] $E:ident ipv4) => { core::option::Option<core::net::Ipv4Addr> };
    ([$a:lifetime] $E:ident ipv6) => { core::option::Option<core::net::Ipv6Addr> };
    ([$a:lifetime] $E:ident ip) => { core::option::Option<core::net::IpAddr> };
    ([$a:lifetime] $E:ident mac) => { core::option::Option<[u8; 6]> };
    ([$a:lifetime] $E:ident bitfield32) => { core::option::Option<$crate::set::Bitfield32> };
    ([$a:lifetime] $E:ident string) => { core::option::Option<$crate::netlink::Text<$a>> };
    ([$a:lifetime] $E:ident bytes) => { core::option::Option<&$a [u8]> };
    ([$a:lifetime] $E:ident address) => { core::option::Option<&$a [u8]> };
    ([$a:lifetime] $E:ident flag) => { bool };
    ([$a:lifetime] $E:ident attributes) => { core::option::Option<$crate::netlink::Attributes<$a, $E>> };
    ([$a:lifetime] $E:ident nest [$of:ty]) => { core::result::Result<core::option::Option<$of>, $crate::Error> };
    ([$a:lifetime] $E:ident array [$of:ty]) => { $crate::set::Array<$a, $of, $E> };
    ([$a:lifetime] $E:ident list [$of:ty]) => { core::option::Option<$crate::set::List<$a, $of, $E>> };
    ([$a:lifetime] $E:ident value [$of:ty]) => { core::option::Option<$of> };
    ([$a:lifetime] $E:ident $number:ident) => { core::option::Option<$number> };
}

/// What the builder of a kind takes, likewise.
#[doc(hidden)]
#[macro_export]
macro_rules! __given {
    ([$a:lifetime] $E:ident flag) => { () };
    ([$a:lifetime] $E:ident string) => { $crate::netlink::Text<$a> };
    ([$a:lifetime] $E:ident bytes) => { &$a [u8] };
    ([$a:lifetime] $E:ident address) => { &$a [u8] };
    ([$a:lifetime] $E:ident attributes) => { $crate::netlink::Attributes<$a, $E> };
    ([$a:lifetime] $E:ident nest [$of:ty]) => { $crate::netlink::Attributes<$a, $E> };
    ([$a:lifetime] $E:ident array [$of:ty]) => { $crate::netlink::Attributes<$a, $E> };
    ([$a:lifetime] $E:ident list [$of:ty]) => { &$a [u8] };
    ([$a:lifetime] $E:ident value [$of:ty]) => { $of };
    ([$a:lifetime] $E:ident $kind:ident as $type:ty) => { $type };
    ([$a:lifetime] $E:ident be16) => { u16 };
    ([$a:lifetime] $E:ident be32) => { u32 };
    ([$a:lifetime] $E:ident be64) => { u64 };
    ([$a:lifetime] $E:ident uint) => { u64 };
    ([$a:lifetime] $E:ident sint) => { i64 };
    ([$a:lifetime] $E:ident ipv4) => { core::net::Ipv4Addr };
    ([$a:lifetime] $E:ident ipv6) => { core::net::Ipv6Addr };
    ([$a:lifetime] $E:ident ip) => { core::net::IpAddr };
    ([$a:lifetime] $E:ident mac) => { [u8; 6] };
    ([$a:lifetime] $E:ident bitfield32) => { $crate::set::Bitfield32 };
    ([$a:lifetime] $E:ident $number:ident) => { $number };
}

/// What a set keeps of a kind. Not the type that [`Kind`](crate::set::Kind) names, as the
/// compiler does not know that a longer lifetime will do for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __stored {
    ([$a:lifetime] $E:ident attributes) => { &$a [u8] };
    ([$a:lifetime] $E:ident nest [$of:ty]) => { &$a [u8] };
    ([$a:lifetime] $E:ident array [$of:ty]) => { &$a [u8] };
    ([$a:lifetime] $E:ident $kind:ident as $type:ty) => { $crate::__given!([$a] $E $kind) };
    ([$a:lifetime] $E:ident $($kind:tt)*) => { $crate::__given!([$a] $E $($kind)*) };
}

/// What differs between a set that is a value and one that borrows.
#[doc(hidden)]
#[macro_export]
macro_rules! __of_mode {
    (owned all $self:ident) => {
        $crate::netlink::Attributes::NONE
    };
    (lent all $self:ident) => {
        $self.all
    };

    (owned start $set:ident $attributes:ident) => {};
    (lent start $set:ident $attributes:ident) => {
        $set.all = $attributes;
    };

    // The length for the family of the message, if that is whole words: other lengths are
    // handled later.
    (lent len address $self:ident) => {
        Some(usize::from($self.address_len) & !3)
    };
    ($mode:ident len $kind:ident $self:ident) => {
        None
    };

    // An address has the length for the family of its message.
    (lent fits address $self:ident $len:expr) => {
        $self.address_len == 0 || $len == usize::from($self.address_len)
    };
    ($mode:ident fits $kind:ident $self:ident $len:expr) => {
        true
    };
}

/// The loop that takes one attribute after another.
#[doc(hidden)]
#[macro_export]
macro_rules! __each {
    // All have a fixed length, so one is read by constants alone.
    (
        owned $self:ident $rest:ident $present:ident $unknown:ident [$a:lifetime] $E:ident
        { $( $number:literal $field:ident $kind:ident [$type:ty]; )* } { $($pad:literal)? }
    ) => {
        if $crate::set::inner::FAST {
            while let Some((chunk, _)) = $rest.split_first_chunk::<8>() {
                let word = $crate::set::inner::header::<$E>(chunk, 0);
                let after;
                // One with flags in its type matches none of these.
                let bit = match word >> 16 {
                    $(
                        $number => {
                            let fixed = const { $crate::set::inner::length(Self::FORMS, $number) };
                            let value;
                            if fixed == $crate::set::ANY_LEN {
                                let len = (word & 0xffff) as usize;
                                value = match $rest.get(4..len) {
                                    Some(value) => value,
                                    None => break,
                                };
                                after = $crate::set::inner::past($rest, len);
                            } else {
                                if word != const { $crate::set::inner::word(Self::FORMS, $number) } {
                                    break;
                                }
                                let whole = const { $crate::set::inner::padded(Self::FORMS, $number) };
                                match $rest.split_at_checked(whole) {
                                    Some((whole, tail)) => {
                                        value = $crate::set::inner::part(whole, 4, fixed);
                                        after = tail;
                                    }
                                    None => break,
                                }
                            }
                            match <$type as $crate::set::Kind<$a, $E>>::read(value) {
                                Some(value) => $self.$field = value,
                                None => break,
                            }
                            const { $crate::set::inner::bit(Self::FORMS, $number) }
                        }
                    )*
                    _ => break,
                };
                $present |= $crate::set::inner::bit_of($present, bit);
                $rest = after;
            }
        } else {
            // Most come in the order of the table, so each is compared with the one
            // expected next, without a jump. One that is out of order takes another round.
            loop {
                let before = $rest.len();
                $(
                    let fixed = const { $crate::set::inner::length(Self::FORMS, $number) };
                    let whole = const { $crate::set::inner::padded(Self::FORMS, $number) };
                    if let Some((whole, tail)) = $rest.split_at_checked(whole) {
                        let word = $crate::set::inner::header::<$E>(whole, 0);
                        let mut value = None;
                        let mut after = tail;
                        if fixed == $crate::set::ANY_LEN {
                            if word >> 16 == $number {
                                let len = (word & 0xffff) as usize;
                                value = $rest.get(4..len);
                                after = $crate::set::inner::past($rest, len);
                            }
                        } else if word == const { $crate::set::inner::word(Self::FORMS, $number) } {
                            value = Some($crate::set::inner::part(whole, 4, fixed));
                        }
                        if let Some(value) = value.and_then(<$type as $crate::set::Kind<$a, $E>>::read) {
                            $self.$field = value;
                            $present |= const { 1 << $crate::set::inner::bit(Self::FORMS, $number) };
                            $rest = after;
                        }
                    }
                )*
                if $rest.is_empty() || $rest.len() == before {
                    break;
                }
            }
        }
    };
    // Attributes that are not in the set are skipped right here: there can be many.
    (
        lent $self:ident $rest:ident $present:ident $unknown:ident [$a:lifetime] $E:ident
        { $( $number:literal $field:ident $kind:ident [$type:ty]; )* } { $($pad:literal)? }
    ) => {
        while let Some((head, _)) = $rest.split_first_chunk::<4>() {
            let word = $crate::set::inner::header::<$E>(head, 0);
            let bare = word & $crate::set::inner::BARE;
            let len = (bare & 0xffff) as usize;
            let Some(value) = $rest.get(4..len) else { break };
            match bare >> 16 {
                $(
                    $number => {
                        if !($crate::__of_mode!(lent fits $kind $self value.len())) {
                            break;
                        }
                        match <$type as $crate::set::Kind<$a, $E>>::read_flagged(value, word) {
                            Some(value) => $self.$field = value,
                            None => break,
                        }
                        $present |= const { 1 << $crate::set::inner::bit(Self::FORMS, $number) };
                    }
                )*
                $( $pad => {} )?
                _ => $unknown = $unknown.wrapping_add(1),
            }
            $rest = $crate::set::inner::past($rest, len);
        }
    };
}

/// Handles an attribute that the loop did not take.
#[doc(hidden)]
#[macro_export]
macro_rules! __unusual {
    // It is rewritten in its usual form and read again.
    (owned $self:ident $attributes:ident $E:ident) => {
        $crate::set::inner::take_odd(
            $attributes,
            Self::FORMS,
            Self::NAMES,
            &mut |bytes| match bytes {
                Some(bytes) => $self.take_each(bytes, core::marker::PhantomData::<$E>),
                None => {
                    $self.unknown = $self.unknown.saturating_add(1);
                    &[]
                }
            },
        )
    };
    // The loop takes everything that is valid.
    (lent $self:ident $attributes:ident $E:ident) => {
        Err($crate::set::inner::fault(
            $attributes,
            Self::FORMS,
            Self::NAMES,
        ))
    };
}

/// What only a set that borrows has.
#[doc(hidden)]
#[macro_export]
macro_rules! __lent_only {
    (owned [$a:lifetime] $E:ident) => {
        /// The attributes among these that are not in this set.
        pub fn unknown_of<'x, E: $crate::order::Order>(
            attributes: $crate::netlink::Attributes<'x, E>,
        ) -> impl Iterator<Item = $crate::netlink::Attribute<'x, E>> {
            attributes
                .flatten()
                .filter(|attribute| !Self::has(attribute.number()))
        }
    };
    (lent [$a:lifetime] $E:ident) => {
        /// Everything that was sent.
        pub const fn attributes(&self) -> $crate::netlink::Attributes<$a, $E> {
            self.all
        }

        /// The attributes that were sent and are not in this set.
        pub fn unknown_attributes(
            &self,
        ) -> impl Iterator<Item = $crate::netlink::Attribute<$a, $E>> {
            self.all
                .flatten()
                .filter(|attribute| !Self::has(attribute.number()))
        }

        /// An empty set to be filled by [`update`](Self::update), in which an
        /// attribute of the kind `address` has this many bytes; 0 is any number.
        pub const fn with_address_len(len: u16) -> Self {
            Self {
                address_len: len,
                ..Self::EMPTY
            }
        }
    };
}

/// Both forms of [`attribute_set!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __attribute_set {
    (
        $mode:ident [ $($doc:tt)* ] [$visible:vis] $set:ident
        [$($decl:tt)*] [$($params:tt)*] [$($args:tt)*]
        [$s:lifetime $O:ty] [$($generic:tt)*] [$a:lifetime] $E:ident
        [$($encode:tt)*] [$($set_params:tt)*] [$($native:tt)*] [$($native_args:tt)*]
        { $($more:tt)* } { $($empty:tt)* }
        {
            $(
                $(#[$field_doc:meta])*
                $number:literal $name:ident $field:ident / $with:ident :
                    $kind:ident $(as $newtype:ty)? $([$of:ty])?,
            )*
            $( pad $pad:literal $(,)? )?
        }
        [ $( [ $($sent:ident)+ ] )* ]
        { $( $also:literal $also_name:ident $shape:expr, )* }
    ) => {
        $($doc)*
        $visible struct $set $($decl)* {
            present: <$crate::set::inner::Wide<{ $crate::set::inner::is_wide(&[$($number),*]) }>
                as $crate::set::inner::Presence>::Bits,
            unknown: u16,
            $( $field: $crate::__stored!([$a] $E $kind $(as $newtype)? $([$of])?), )*
            $($more)*
        }

        #[allow(dead_code)]
        impl $($native)* $set $($native_args)* {
            $(
                #[doc = concat!("Number of [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                pub const $name: u16 = $number;
            )*

            /// The kernel's name of an attribute of this set.
            pub fn name_of(number: u16) -> core::option::Option<&'static str> {
                Self::NAMES.attribute(number)
            }
        }

        #[allow(dead_code, clippy::redundant_field_names)]
        impl $($params)* $set $($args)* {
            /// A set in which nothing is present.
            pub const EMPTY: Self = Self {
                present: 0,
                unknown: 0,
                $( $field: <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$s, $O>>::ABSENT, )*
                $($empty)*
            };

            /// Its name and those of its attributes.
            pub const NAMES: &'static $crate::set::Names = &$crate::set::Names::of(concat!(
                stringify!($set) $(, "\n", $number, " ", stringify!($name))*
            ));

            const FORMS: &'static $crate::set::inner::Forms = &[
                $( (
                    $number,
                    $crate::set::inner::form(
                        <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$s, $O>>::LEN,
                        <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$s, $O>>::IS_NUMBER,
                        <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$s, $O>>::FAULT,
                    ),
                ), )*
                $( ($pad, $crate::set::inner::PADDING), )?
            ];

            /// The most bytes that [`encode`](Self::encode) writes, not counting what has
            /// no fixed length.
            pub const MAX_LEN: usize = $crate::set::inner::total(Self::FORMS);

            $(
                $(#[$field_doc])*
                #[inline(always)]
                pub fn $field(&self) -> $crate::__found!([$a] $E $kind $(as $newtype)? $([$of])?) {
                    let present = self.present & const { 1 << $crate::set::inner::bit(Self::FORMS, $number) } != 0;
                    <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$s, $O>>::find(
                        self.$field, present, $crate::__of_mode!($mode all self),
                    )
                }

                #[doc = concat!("The same with [`", stringify!($field), "`](Self::", stringify!($field), ") present.")]
                #[must_use]
                #[inline]
                pub fn $with(mut self, value: $crate::__given!([$a] $E $kind $(as $newtype)? $([$of])?)) -> Self {
                    self.present |= const { 1 << $crate::set::inner::bit(Self::FORMS, $number) };
                    self.$field = <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$s, $O>>::store(value);
                    self
                }
            )*

            /// The same without the attribute of this number.
            #[must_use]
            #[inline]
            pub fn without(mut self, number: u16) -> Self {
                match number {
                    $(
                        $number => {
                            self.present &= !const { 1 << $crate::set::inner::bit(Self::FORMS, $number) };
                            self.$field = Self::EMPTY.$field;
                        }
                    )*
                    _ => {}
                }
                self
            }

            /// The same without some attributes, a bit `1 << number` for each, and with no
            /// unknown ones counted: for comparing the rest of two sets.
            #[must_use]
            pub fn without_all(mut self, numbers: u32) -> Self {
                self.unknown = 0;
                $(
                    if numbers & 1u32.checked_shl($number).unwrap_or(0) != 0 {
                        self.present &= !const { 1 << $crate::set::inner::bit(Self::FORMS, $number) };
                        self.$field = Self::EMPTY.$field;
                    }
                )*
                self
            }

            /// The same with all that is present in another set.
            #[must_use]
            pub fn with_all(mut self, more: &Self) -> Self {
                self.present |= more.present;
                $(
                    if more.present & const { 1 << $crate::set::inner::bit(Self::FORMS, $number) } != 0 {
                        self.$field = more.$field;
                    }
                )*
                self
            }

            /// Whether nothing is present.
            pub const fn is_empty(&self) -> bool {
                self.present == 0
            }

            /// How many attributes were found that are not in this set.
            pub const fn unknown(&self) -> u16 {
                self.unknown
            }

            fn has(number: u16) -> bool {
                Self::FORMS.iter().any(|row| row.0 == number)
            }

            $crate::__lent_only! { $mode [$a] $E }

            /// Reads a set. If an attribute is present twice, the last one counts, as in
            /// the kernel.
            #[inline]
            pub fn from_attributes $($generic)* (
                attributes: $crate::netlink::Attributes<$a, $E>,
            ) -> core::result::Result<Self, $crate::Error> {
                let mut set = Self::EMPTY;
                set.update(attributes)?;
                Ok(set)
            }

            /// Adds what is in `attributes`; what is present already is replaced.
            #[inline(always)]
            pub fn update $($generic)* (
                &mut self,
                attributes: $crate::netlink::Attributes<$a, $E>,
            ) -> core::result::Result<(), $crate::Error> {
                $crate::__of_mode!($mode start self attributes);
                let (bytes, order) = (attributes.as_bytes(), core::marker::PhantomData::<$E>);
                let rest = if $crate::set::inner::FAST {
                    self.take_usual(bytes, order)
                } else {
                    self.take_each(bytes, order)
                };
                if rest.is_empty() {
                    return Ok(());
                }
                self.take_unusual(attributes.continued_at(rest))
            }

            /// Takes attributes as long as they are usual, first the expected runs; returns
            /// what is left.
            ///
            /// Not inlined: this many fields are read faster in a function of their own
            /// than in competition for the registers of the caller.
            #[inline(never)]
            #[allow(clippy::almost_swapped)]
            fn take_usual $($generic)* (
                &mut self,
                bytes: &$a [u8],
                order: core::marker::PhantomData<$E>,
            ) -> &$a [u8] {
                #[allow(unused_mut)]
                let mut rest = bytes;
                #[allow(unused_mut)]
                let mut present = self.present;
                $(
                    if const { true $( && $crate::set::inner::length(Self::FORMS, $set::$sent) != $crate::set::ANY_LEN )+ } {
                        if let Some((run, tail)) = rest.split_at_checked(const {
                            0 $( + $crate::set::inner::padded(Self::FORMS, $set::$sent) )+
                        }) {
                            // The places are constants once this is compiled.
                            let mut at = 0;
                            if true $( && {
                                let word = $crate::set::inner::header::<$E>(run, at);
                                at += const { $crate::set::inner::padded(Self::FORMS, $set::$sent) };
                                word == const { $crate::set::inner::word(Self::FORMS, $set::$sent) }
                            } )+ {
                                at = 4;
                                $(
                                    self.keep($set::$sent, run, at, order);
                                    at += const { $crate::set::inner::padded(Self::FORMS, $set::$sent) };
                                    present |= const { 1 << $crate::set::inner::bit(Self::FORMS, $set::$sent) };
                                )+
                                rest = tail;
                            }
                            let _ = at;
                        }
                    } else {
                        $(
                            if let Some((head, after)) = rest.split_first_chunk::<4>() {
                                let word = $crate::set::inner::header::<$E>(head, 0);
                                let len = (word & 0xffff) as usize;
                                if let Some(given) = self.len_given($set::$sent) {
                                    if word == ($set::$sent as u32) << 16 | (4 + given) as u32 {
                                        if let Some((value, tail)) = after.split_at_checked(given) {
                                            if self.keep_any($set::$sent, value, order) {
                                                present |= const { 1 << $crate::set::inner::bit(Self::FORMS, $set::$sent) };
                                                rest = tail;
                                            }
                                        }
                                    }
                                } else if word >> 16 == $set::$sent as u32 {
                                    if let Some(value) = rest.get(4..len) {
                                        if self.keep_any($set::$sent, value, order) {
                                            present |= const { 1 << $crate::set::inner::bit(Self::FORMS, $set::$sent) };
                                            rest = $crate::set::inner::past(rest, len);
                                        }
                                    }
                                }
                            }
                        )+
                    }
                )*
                self.present = present;
                if rest.is_empty() {
                    rest
                } else {
                    self.take_each(rest, order)
                }
            }

            /// Reads the value of the attribute `number`, which is at `at`.
            #[inline(always)]
            #[allow(unused_variables)]
            fn keep $($generic)* (
                &mut self,
                number: u16,
                run: &$a [u8],
                at: usize,
                order: core::marker::PhantomData<$E>,
            ) {
                match number {
                    $(
                        $number => {
                            let value = $crate::set::inner::part(run, at, const {
                                $crate::set::inner::length(Self::FORMS, $number)
                            });
                            if let Some(value) = <$crate::__kind!($kind $(as $newtype)? $([$of])?)
                                as $crate::set::Kind<$a, $E>>::read(value)
                            {
                                self.$field = value;
                            }
                        }
                    )*
                    _ => {}
                }
            }

            /// The length of the attribute `number` according to the message, if it
            /// determines that.
            #[inline(always)]
            #[allow(dead_code, unused_variables)]
            fn len_given(&self, number: u16) -> core::option::Option<usize> {
                match number {
                    $( $number => $crate::__of_mode!($mode len $kind self), )*
                    _ => None,
                }
            }

            /// Reads the value of the attribute `number`, of any length; returns whether it
            /// is a usual one.
            #[inline(always)]
            #[allow(dead_code, unused_variables)]
            fn keep_any $($generic)* (
                &mut self,
                number: u16,
                value: &$a [u8],
                order: core::marker::PhantomData<$E>,
            ) -> bool {
                match number {
                    $(
                        $number if $crate::__of_mode!($mode fits $kind self value.len()) => {
                            match <$crate::__kind!($kind $(as $newtype)? $([$of])?)
                                as $crate::set::Kind<$a, $E>>::read_usual(value)
                            {
                                Some(value) => self.$field = value,
                                None => return false,
                            }
                        }
                    )*
                    _ => return false,
                }
                true
            }

            /// Takes one attribute after another as long as they are usual.
            #[inline(never)]
            #[allow(unused_variables, unused_mut)]
            fn take_each $($generic)* (
                &mut self,
                bytes: &$a [u8],
                order: core::marker::PhantomData<$E>,
            ) -> &$a [u8] {
                let mut rest = bytes;
                let mut present = self.present;
                // No message has so many that this wraps.
                let mut unknown = u32::from(self.unknown);
                $crate::__each! {
                    $mode self rest present unknown [$a] $E
                    { $(
                        $number $field $kind [$crate::__kind!($kind $(as $newtype)? $([$of])?)];
                    )* }
                    { $($pad)? }
                }
                self.present = present;
                self.unknown = u16::try_from(unknown).unwrap_or(u16::MAX);
                rest
            }

            /// Goes on with an unusual attribute.
            #[cold]
            #[inline(never)]
            fn take_unusual $($generic)* (
                &mut self,
                attributes: $crate::netlink::Attributes<$a, $E>,
            ) -> core::result::Result<(), $crate::Error> {
                $crate::__unusual!($mode self attributes $E)
            }

            /// Writes what is present, in the order of the table.
            #[inline]
            pub fn encode $($encode)* (
                &self,
                writer: &'w mut $crate::netlink::Writer<'b, $E>,
            ) -> &'w mut $crate::netlink::Writer<'b, $E> {
                $(
                    if self.present & const { 1 << $crate::set::inner::bit(Self::FORMS, $number) } != 0 {
                        <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$a, $E>>::put(
                            writer, $number, self.$field,
                        );
                    }
                )*
                writer
            }
        }

        impl $($params)* Copy for $set $($args)* {}

        #[allow(clippy::expl_impl_clone_on_copy)]
        impl $($params)* Clone for $set $($args)* {
            #[inline]
            fn clone(&self) -> Self {
                *self
            }
        }

        impl $($params)* PartialEq for $set $($args)* {
            fn eq(&self, other: &Self) -> bool {
                self.present == other.present
                    && self.unknown == other.unknown
                    $( && self.$field == other.$field )*
            }
        }

        impl $($params)* Eq for $set $($args)* {}

        impl $($params)* core::hash::Hash for $set $($args)* {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.present.hash(state);
                $( self.$field.hash(state); )*
            }
        }

        impl $($params)* Default for $set $($args)* {
            fn default() -> Self {
                Self::EMPTY
            }
        }

        impl $($params)* core::fmt::Debug for $set $($args)* {
            /// Shows what is present.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut out = f.debug_struct(stringify!($set));
                $(
                    if self.present & const { 1 << $crate::set::inner::bit(Self::FORMS, $number) } != 0 {
                        <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$s, $O>>::show(
                            self.$field, $crate::__of_mode!($mode all self),
                            |value| { out.field(stringify!($field), value); },
                        );
                    }
                )*
                if self.unknown > 0 {
                    out.field("unknown", &self.unknown);
                }
                out.finish()
            }
        }

        impl $($set_params)* $crate::set::Set<$a, $E> for $set $($args)* {
            const DESCRIPTION: &'static $crate::set::Description = &$crate::set::Description {
                name: stringify!($set),
                rows: &[
                    $(
                        $crate::set::Row {
                            number: $number,
                            name: stringify!($name),
                            shape: <$crate::__kind!($kind $(as $newtype)? $([$of])?) as $crate::set::Kind<$a, $E>>::SHAPE,
                        },
                    )*
                    $(
                        $crate::set::Row {
                            number: $also,
                            name: stringify!($also_name),
                            shape: { use $crate::set::Shape; $shape },
                        },
                    )*
                    $(
                        $crate::set::Row { number: $pad, name: "PAD", shape: $crate::set::Shape::Padding },
                    )?
                ],
            };

            #[inline]
            fn read_set(attributes: $crate::netlink::Attributes<$a, $E>) -> core::result::Result<Self, $crate::Error> {
                Self::from_attributes(attributes)
            }
        }
    };
}
