//! What an attribute must be.

attribute_set! {
    /// The kernel's rule for an attribute (`NL_POLICY_TYPE_ATTR_*` in `linux/netlink.h`):
    /// in a refusal the rule for the attribute at fault, and in a dump those of a family's
    /// [policy](crate::generic::policy).
    #[doc(alias(
        "NL_POLICY_TYPE_ATTR_TYPE", "NL_POLICY_TYPE_ATTR_MIN_VALUE_S",
        "NL_POLICY_TYPE_ATTR_MAX_VALUE_S", "NL_POLICY_TYPE_ATTR_MIN_VALUE_U",
        "NL_POLICY_TYPE_ATTR_MAX_VALUE_U", "NL_POLICY_TYPE_ATTR_MIN_LENGTH",
        "NL_POLICY_TYPE_ATTR_MAX_LENGTH", "NL_POLICY_TYPE_ATTR_POLICY_IDX",
        "NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE", "NL_POLICY_TYPE_ATTR_BITFIELD32_MASK",
        "NL_POLICY_TYPE_ATTR_MASK",
    ))]
    pub struct Rule {
        /// What it is; see [`Rule::type_name`].
        1 TYPE type_number / with_type_number: u32,
        /// Least value of a signed number.
        2 MIN_VALUE_S min_signed / with_min_signed: i64,
        /// Greatest value of a signed number.
        3 MAX_VALUE_S max_signed / with_max_signed: i64,
        /// Least value of an unsigned number.
        4 MIN_VALUE_U min / with_min: u64,
        /// Greatest value of an unsigned number.
        5 MAX_VALUE_U max / with_max: u64,
        /// Least length in bytes.
        6 MIN_LENGTH min_length / with_min_length: u32,
        /// Greatest length in bytes.
        7 MAX_LENGTH max_length / with_max_length: u32,
        /// For a nest: number of the policy that holds inside.
        8 POLICY_IDX policy / with_policy: u32,
        /// For a nest: highest attribute number inside.
        9 POLICY_MAXTYPE max_attribute / with_max_attribute: u32,
        /// For a bit field: the bits that may be selected.
        10 BITFIELD32_MASK bitfield_mask / with_bitfield_mask: u32,
        /// For an unsigned number: the bits that may be set.
        12 MASK mask / with_mask: u64,
        pad 11,
    }
}

impl Rule {
    /// Its type (`NL_ATTR_TYPE_*`), in a word; `None` if that is absent or newer than this
    /// crate.
    pub fn type_name(&self) -> Option<&'static str> {
        const NAMES: [&str; 18] = [
            "invalid",
            "flag",
            "u8",
            "u16",
            "u32",
            "u64",
            "s8",
            "s16",
            "s32",
            "s64",
            "binary",
            "string",
            "nul-string",
            "nested",
            "nested-array",
            "bitfield32",
            "sint",
            "uint",
        ];
        let number = usize::try_from(self.type_number()?).ok()?;
        NAMES.get(number).copied()
    }
}
