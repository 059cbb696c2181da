//! A subflow's part of MPTCP.

attribute_set! {
    /// What MPTCP keeps with the TCP socket of a subflow (`MPTCP_SUBFLOW_ATTR_*`
    /// in `linux/mptcp.h`), in the nest `INET_ULP_INFO_MPTCP`.
    ///
    /// Kernels before 6.18 show it to `CAP_NET_ADMIN` only; later ones hide
    /// just the sequence numbers from others.
    #[doc(alias(
        "MPTCP_SUBFLOW_ATTR_TOKEN_REM", "MPTCP_SUBFLOW_ATTR_TOKEN_LOC",
        "MPTCP_SUBFLOW_ATTR_FLAGS", "MPTCP_SUBFLOW_ATTR_ID_REM",
        "MPTCP_SUBFLOW_ATTR_ID_LOC", "MPTCP_SUBFLOW_ATTR_RELWRITE_SEQ",
        "MPTCP_SUBFLOW_ATTR_MAP_SEQ", "MPTCP_SUBFLOW_ATTR_MAP_SFSEQ",
        "MPTCP_SUBFLOW_ATTR_SSN_OFFSET", "MPTCP_SUBFLOW_ATTR_MAP_DATALEN",
    ))]
    #[derive(PartialOrd, Ord)]
    pub struct SubflowInfo {
        /// Token of the peer's connection; 0 on a first subflow and on the
        /// side that accepted.
        1 TOKEN_REM token_rem / with_token_rem: u32,
        /// Token of the connection that it belongs to.
        2 TOKEN_LOC token_loc / with_token_loc: u32,
        /// Its state and properties.
        8 FLAGS flags / with_flags: u32 as SubflowFlags,
        /// Id of the remote address.
        9 ID_REM id_rem / with_id_rem: u8,
        /// Id of the local address.
        10 ID_LOC id_loc / with_id_loc: u8,
        /// Relative write sequence number.
        3 RELWRITE_SEQ relwrite_seq / with_relwrite_seq: u32,
        /// Data sequence number of the present mapping.
        4 MAP_SEQ map_seq / with_map_seq: u64,
        /// Subflow sequence number of the present mapping.
        5 MAP_SFSEQ map_sfseq / with_map_sfseq: u32,
        /// First sequence number of the subflow.
        6 SSN_OFFSET ssn_offset / with_ssn_offset: u32,
        /// Bytes of the present mapping.
        7 MAP_DATALEN map_datalen / with_map_datalen: u16,
        pad 11,
    }
    // Old kernels have the second after the third.
    sent [TOKEN_REM TOKEN_LOC] [FLAGS ID_REM ID_LOC]
        [RELWRITE_SEQ MAP_SEQ MAP_SFSEQ SSN_OFFSET MAP_DATALEN]
}

/// Flags of a subflow, each with the letter that `ss` shows for it.
macro_rules! subflow_flags {
    ($($(#[$doc:meta])* $bits:literal $flag:ident $name:literal $letter:literal,)+) => {
        flags! {
            /// What a subflow is (`MPTCP_SUBFLOW_FLAG_*`).
            pub struct SubflowFlags: u32 {
                $($(#[$doc])* $bits $flag $name,)+
            }
        }

        impl SubflowFlags {
            /// The known bits with the letters that `ss` shows for them.
            pub const LETTERS: [(Self, char); Self::NAMES.len()] =
                [$((Self::$flag, $letter)),+];
        }
    };
}

subflow_flags! {
    /// The peer's MP_CAPABLE has been received.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_MCAP_REM")]
    0x1 MCAP_REM "mcap_rem" 'M',
    /// MP_CAPABLE was sent.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_MCAP_LOC")]
    0x2 MCAP_LOC "mcap_loc" 'm',
    /// The peer's MP_JOIN has been received.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_JOIN_REM")]
    0x4 JOIN_REM "join_rem" 'J',
    /// MP_JOIN was sent.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_JOIN_LOC")]
    0x8 JOIN_LOC "join_loc" 'j',
    /// The peer wants it as a backup.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_BKUP_REM")]
    0x10 BKUP_REM "bkup_rem" 'B',
    /// It is a backup here.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_BKUP_LOC")]
    0x20 BKUP_LOC "bkup_loc" 'b',
    /// Its handshake is over: data may be sent.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_FULLY_ESTABLISHED")]
    0x40 FULLY_ESTABLISHED "fully_established" 'e',
    /// It is connected.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_CONNECTED")]
    0x80 CONNECTED "connected" 'c',
    /// It holds a mapping.
    #[doc(alias = "MPTCP_SUBFLOW_FLAG_MAPVALID")]
    0x100 MAPVALID "mapvalid" 'v',
}
