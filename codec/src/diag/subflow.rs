//! A subflow's part of MPTCP.

use core::fmt;

attribute_set! {
    /// What MPTCP keeps with the TCP socket of a subflow (`MPTCP_SUBFLOW_ATTR_*`
    /// in `linux/mptcp.h`), in the nest `INET_ULP_INFO_MPTCP`.
    ///
    /// Kernels before 6.18 show it to `CAP_NET_ADMIN` only; later ones hide
    /// just the sequence numbers from others.
    pub struct SubflowInfo {
        /// Token of the peer's connection; 0 on a first subflow and on the
        /// side that accepted.
        1 TOKEN_REM token_rem / with_token_rem: u32,
        /// Token of the connection that it belongs to.
        2 TOKEN_LOC token_loc / with_token_loc: u32,
        /// What it is and can do.
        8 FLAGS flags / with_flags: subflow_flags,
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
}

/// What a subflow is (`MPTCP_SUBFLOW_FLAG_*`). Unknown bits are kept.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct SubflowFlags(
    /// The bits.
    pub u32,
);

impl SubflowFlags {
    /// The peer's MP_CAPABLE has been received.
    pub const MCAP_REM: Self = Self(1);
    /// MP_CAPABLE was sent.
    pub const MCAP_LOC: Self = Self(2);
    /// The peer's MP_JOIN has been received.
    pub const JOIN_REM: Self = Self(4);
    /// MP_JOIN was sent.
    pub const JOIN_LOC: Self = Self(8);
    /// The peer wants it for a backup.
    pub const BKUP_REM: Self = Self(16);
    /// It is a backup here.
    pub const BKUP_LOC: Self = Self(32);
    /// Its handshake is over: data may be sent.
    pub const FULLY_ESTABLISHED: Self = Self(64);
    /// It is connected.
    pub const CONNECTED: Self = Self(128);
    /// It holds a mapping.
    pub const MAPVALID: Self = Self(256);

    /// The known bits with the letters that `ss` shows for them.
    pub const LETTERS: [(Self, char); 9] = [
        (Self::MCAP_REM, 'M'),
        (Self::MCAP_LOC, 'm'),
        (Self::JOIN_REM, 'J'),
        (Self::JOIN_LOC, 'j'),
        (Self::BKUP_REM, 'B'),
        (Self::BKUP_LOC, 'b'),
        (Self::FULLY_ESTABLISHED, 'e'),
        (Self::CONNECTED, 'c'),
        (Self::MAPVALID, 'v'),
    ];

    /// Whether all bits of `flags` are set.
    #[inline]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The bits that have no name here.
    pub const fn unknown(self) -> Self {
        Self(self.0 & !0x1ff)
    }
}

impl fmt::Display for SubflowFlags {
    /// The letters, unknown bits in hexadecimal behind them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (flag, letter) in Self::LETTERS {
            if self.contains(flag) {
                f.write_char(letter)?;
            }
        }
        match self.unknown().0 {
            0 => Ok(()),
            bits => write!(f, "[{bits:#x}]"),
        }
    }
}

impl fmt::Debug for SubflowFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
