//! What the kernel knows of a connection and of a subflow.

growing_struct! {
    /// `struct mptcp_info` (`linux/mptcp.h`): a connection.
    ///
    /// It grew with the kernel; each field names the version that brought it. Fields that
    /// took the place of padding cannot be distinguished from it: `csum_enabled` before
    /// 5.14 and `endp_laminar_max` and `endp_fullmesh_max` before 6.18 read as 0. Counters
    /// are those of the whole connection and never decrease.
    pub struct MptcpInfo, MptcpFields {
        /// Subflows beyond the first (5.9).
        0 subflows: u8,
        /// ADD_ADDR sent (5.9).
        1 add_addr_signal: u8,
        /// ADD_ADDR of the peer that were accepted (5.9).
        2 add_addr_accepted: u8,
        /// Limit on further subflows (5.9).
        3 subflows_max: u8,
        /// Endpoints with the flag signal (5.9).
        4 add_addr_signal_max: u8,
        /// Limit on accepted ADD_ADDR (5.9).
        5 add_addr_accepted_max: u8,
        /// Bits, see [`MptcpInfo::is_fallback`] (5.9).
        8 flags: u32,
        /// The token: identifies the connection on this machine (5.9).
        12 token: u32,
        /// Next sequence number to be written (5.9).
        16 write_seq: u64,
        /// First sequence number that the peer has not acknowledged (5.9).
        24 snd_una: u64,
        /// Next expected sequence number (5.9).
        32 rcv_nxt: u64,
        /// Local addresses in use (5.12).
        40 local_addr_used: u8,
        /// Endpoints with the flag subflow (5.12).
        41 local_addr_max: u8,
        /// Whether data is checksummed: 0 or 1 (5.14).
        42 csum_enabled: u8,
        /// Retransmissions of the connection, not of its subflows (6.5).
        44 retransmits: u32 beyond 48,
        /// Bytes of those retransmissions (6.5).
        48 bytes_retrans: u64,
        /// Bytes sent, retransmissions not counted (6.5).
        56 bytes_sent: u64,
        /// Bytes received (6.5).
        64 bytes_received: u64,
        /// Bytes that the peer acknowledged (6.5).
        72 bytes_acked: u64,
        /// All subflows, including the first one as long as it exists (6.8).
        80 subflows_total: u8,
        /// Endpoints with the flag laminar (6.18).
        81 endp_laminar_max: u8 beyond 88,
        /// Endpoints with the flag fullmesh (6.18).
        82 endp_fullmesh_max: u8 beyond 88,
        /// Milliseconds since data was last sent (6.10).
        84 last_data_sent: u32 beyond 88,
        /// Milliseconds since data was last received (6.10).
        88 last_data_recv: u32,
        /// Milliseconds since an acknowledgement was last received (6.10).
        92 last_ack_recv: u32,
    }
}

impl<E: crate::order::Order> MptcpInfo<'_, E> {
    /// `MPTCP_INFO_FLAG_FALLBACK`: the connection fell back to TCP.
    pub fn is_fallback(&self) -> bool {
        self.flags().is_some_and(|flags| flags & 1 != 0)
    }

    /// `MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED`: the peer's key is known.
    pub fn has_remote_key(&self) -> bool {
        self.flags().is_some_and(|flags| flags & 2 != 0)
    }
}

growing_struct! {
    /// `struct tcp_info` (`linux/tcp.h`): a subflow, or any TCP socket.
    ///
    /// The fields from `pacing_rate` on were added one after another since kernel 3.15.
    /// What newer kernels add after them is in [`TcpInfo::as_bytes`].
    pub struct TcpInfo, TcpFields {
        /// A [`State`](super::State)'s number.
        0 state: u8,
        /// State of the congestion control: 0 open, 1 disorder, 2 reduced,
        /// 3 recovery, 4 loss.
        1 ca_state: u8,
        /// Consecutive timeouts of the segment that is being retransmitted.
        2 retransmits: u8,
        /// Unanswered probes of a closed window or a silent peer.
        3 probes: u8,
        /// How often the timeout was doubled.
        4 backoff: u8,
        /// Options in use: 1 timestamps, 2 SACK, 4 window scale, 8 ECN,
        /// 16 ECN seen, 32 data in the SYN.
        5 options: u8,
        /// Window scales: the peer's and ours, four bits each; which half is
        /// which follows the machine's bit order.
        6 wscale: u8,
        /// Retransmission timeout, microseconds.
        8 rto: u32,
        /// Timeout for a delayed acknowledgement, microseconds.
        12 ato: u32,
        /// Segment size for sending, bytes.
        16 snd_mss: u32,
        /// Segment size seen in receiving, bytes.
        20 rcv_mss: u32,
        /// Segments sent and not acknowledged; of a listener, the
        /// connections that wait to be accepted.
        24 unacked: u32,
        /// Segments selectively acknowledged; of a listener, how many
        /// connections may wait.
        28 sacked: u32,
        /// Segments considered lost.
        32 lost: u32,
        /// Retransmitted segments that are not acknowledged yet.
        36 retrans: u32,
        /// Milliseconds since data was last sent.
        44 last_data_sent: u32,
        /// Milliseconds since data was last received.
        52 last_data_recv: u32,
        /// Milliseconds since an acknowledgement was last received.
        56 last_ack_recv: u32,
        /// Path MTU, bytes.
        60 pmtu: u32,
        /// Slow start threshold of the receive window, bytes.
        64 rcv_ssthresh: u32,
        /// Smoothed round-trip time, microseconds.
        68 rtt: u32,
        /// Its variation, microseconds.
        72 rttvar: u32,
        /// Slow start threshold, segments.
        76 snd_ssthresh: u32,
        /// Congestion window, segments.
        80 snd_cwnd: u32,
        /// Segment size that was announced, bytes.
        84 advmss: u32,
        /// How far segments were seen out of order.
        88 reordering: u32,
        /// Round-trip time as the receiver sees it, microseconds.
        92 rcv_rtt: u32,
        /// Target size of the receive buffer, bytes.
        96 rcv_space: u32,
        /// Segments retransmitted over the whole lifetime.
        100 total_retrans: u32,
        /// Pacing rate, bytes a second; all ones if there is none.
        104 pacing_rate: u64,
        /// Limit of the pacing rate, bytes a second; all ones is none.
        112 max_pacing_rate: u64,
        /// Bytes that the peer acknowledged.
        120 bytes_acked: u64,
        /// Bytes received.
        128 bytes_received: u64,
        /// Segments sent.
        136 segs_out: u32,
        /// Segments received.
        140 segs_in: u32,
        /// Bytes written that were not sent yet.
        144 notsent_bytes: u32,
        /// Smallest recent round-trip time, microseconds.
        148 min_rtt: u32,
        /// Segments with data received.
        152 data_segs_in: u32,
        /// Segments with data sent.
        156 data_segs_out: u32,
        /// Recent delivery rate, bytes a second.
        160 delivery_rate: u64,
        /// Time spent sending, microseconds.
        168 busy_time: u64,
        /// Part of it limited by the peer's window, microseconds.
        176 rwnd_limited: u64,
        /// Part of it limited by the send buffer, microseconds.
        184 sndbuf_limited: u64,
        /// Segments delivered.
        192 delivered: u32,
        /// Of them, with a congestion mark.
        196 delivered_ce: u32,
        /// Bytes sent, including retransmissions (4.19).
        200 bytes_sent: u64,
        /// Bytes retransmitted (4.19).
        208 bytes_retrans: u64,
        /// Duplicates that the peer reported (4.19).
        216 dsack_dups: u32,
        /// Times that reordering was seen (4.19).
        220 reord_seen: u32,
        /// Segments received out of order (5.4).
        224 rcv_ooopack: u32,
        /// The peer's window, bytes (5.4).
        228 snd_wnd: u32,
        /// Our window, bytes (6.2).
        232 rcv_wnd: u32,
        /// Times that another path was tried by a new flow hash (6.2).
        236 rehash: u32,
        /// Retransmission timeouts (6.7).
        240 total_rto: u16,
        /// Recoveries from them (6.7).
        242 total_rto_recoveries: u16,
        /// Time spent in them, milliseconds (6.7).
        244 total_rto_time: u32,
        /// Segments received with a congestion mark (6.18, like all that follow).
        248 received_ce: u32,
        /// Bytes delivered that were marked ECT(1), as the peer counts them.
        252 delivered_e1_bytes: u32,
        /// The same marked ECT(0).
        256 delivered_e0_bytes: u32,
        /// The same with a congestion mark.
        260 delivered_ce_bytes: u32,
        /// Bytes received that were marked ECT(1).
        264 received_e1_bytes: u32,
        /// The same marked ECT(0).
        268 received_e0_bytes: u32,
        /// The same with a congestion mark.
        272 received_ce_bytes: u32,
    }
}

impl TcpInfo<'_> {
    /// The length of a structure with exactly the fields known here.
    pub const LEN: usize = 276;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::bytes;

    const WAVE_6_18: &str = "0000000800080000 02000000 5dbc9739 9207f62d3bef6ec5 9207f62d3bef6ec5
        e3303b3a93bdb43a 0000000000000000 0000000000000000 0f00000000000000 0f00000000000000
        0f00000000000000 01000000 a4000000 a4000000 a4000000";
    const WAVE_6_1_BIG: &str = "0000000800080000 00000002 92ac10b0 ff4a3ee84cef32db
        ff4a3ee84cef32db 5520782915909054 0000000000000000";

    #[test]
    fn a_connection_is_read_as_far_as_the_kernel_sent_it() {
        let new = bytes(WAVE_6_18);
        let info = MptcpInfo::<Little>::with_order(&new);
        assert_eq!(
            (info.token(), info.subflows_max()),
            (Some(0x3997_bc5d), Some(8))
        );
        assert_eq!(
            (info.bytes_sent(), info.subflows_total()),
            (Some(15), Some(1))
        );
        assert_eq!(
            (info.last_data_sent(), info.endp_laminar_max()),
            (Some(0xa4), Some(0))
        );
        assert!(info.has_remote_key() && !info.is_fallback());

        let old = bytes(WAVE_6_1_BIG);
        let info = MptcpInfo::<Big>::with_order(&old);
        assert_eq!(
            (info.token(), info.csum_enabled()),
            (Some(0x92ac_10b0), Some(0))
        );
        // Padding is not a counter.
        assert_eq!((info.retransmits(), info.bytes_sent()), (None, None));
    }

    #[test]
    fn every_length_is_read_without_a_field_cut_in_two() {
        let new = bytes(WAVE_6_18);
        for len in 0..=new.len() {
            let info = MptcpInfo::<Little>::with_order(&new[..len]);
            assert_eq!(info.token().is_some(), len >= 16);
            assert_eq!(info.rcv_nxt().is_some(), len >= 40);
            assert_eq!(info.last_data_sent().is_some(), len > 88);
            assert_eq!(info.last_ack_recv().is_some(), len >= 96);

            let rows = MptcpInfo::LAYOUT.rows.iter();
            let read = rows.filter_map(|(_, field)| info.read(*field));
            assert!(info.fields().map(|(_, value)| value).eq(read), "{len}");
            let is_listed = |name| info.fields().any(|(known, _)| known == name);
            assert_eq!(is_listed("retransmits"), info.retransmits().is_some());
            assert_eq!(
                is_listed("endp_laminar_max"),
                info.endp_laminar_max().is_some()
            );
            assert_eq!(is_listed("last_data_sent"), info.last_data_sent().is_some());
        }
        // As i386 has it, which aligns 64 bits to 4 bytes: 44 bytes from 5.12
        // on, 84 from 6.8 on.
        for (len, fields) in [(40, 11), (44, 14), (48, 14), (80, 19), (84, 20), (88, 20)] {
            let info = MptcpInfo::<Little>::with_order(&new[..len]);
            assert_eq!(info.fields().count(), fields, "{len}");
        }
    }

    #[test]
    fn fields_read_by_name_by_place_and_one_by_one_are_the_same() {
        let mut sent = [0; TcpInfo::LEN];
        for (at, byte) in sent.iter_mut().enumerate() {
            *byte = at as u8;
        }
        let info = TcpInfo::<Little>::with_order(&sent);
        let named = |name| info.fields().find(|(known, _)| *known == name);
        assert_eq!(named("rtt"), Some(("rtt", 0x4746_4544)));
        assert_eq!(info.read(TcpInfo::FIELDS.rtt), Some(0x4746_4544));
        assert_eq!(info.rtt(), Some(0x4746_4544));
        assert_eq!(
            named("total_rto_time"),
            Some(("total_rto_time", 0xf7f6_f5f4))
        );
        // Beyond what a byte can count.
        assert_eq!(
            named("received_ce_bytes"),
            Some(("received_ce_bytes", 0x1312_1110))
        );
        for (len, fields) in [(276, 63), (275, 62), (248, 56), (247, 55)] {
            let info = TcpInfo::<Little>::with_order(&sent[..len]);
            assert_eq!(info.fields().count(), fields, "{len}");
            assert_eq!(info.received_ce_bytes().is_some(), len == 276);
        }

        let old = MptcpInfo::<Little>::with_order(&sent[..88]);
        assert_eq!(old.read(MptcpInfo::FIELDS.bytes_acked), old.bytes_acked());
        assert_eq!(old.read(MptcpInfo::FIELDS.last_data_sent), None);
        let new = MptcpInfo::<Little>::with_order(&sent[..89]);
        assert_eq!(
            new.read(MptcpInfo::FIELDS.last_data_sent),
            Some(0x5756_5554)
        );
    }

    #[test]
    fn a_subflow_has_the_figures_of_its_kernel() {
        let bytes = bytes(
            "01000000 00077700 e01c0300 409c0000 00800000 18020000 00000000 00000000 00000000
             00000000 00000000 c8000000 00000000 c8000000 c8000000 ffff0000 cbff0000 72010000
             fc000000 ffffff7f 0a000000",
        );
        let info = TcpInfo::<Little>::with_order(&bytes);
        assert_eq!((info.state(), info.rto()), (Some(1), Some(204_000)));
        assert_eq!(
            (info.rtt(), info.rttvar(), info.snd_cwnd()),
            (Some(370), Some(252), Some(10))
        );
        assert_eq!((info.total_retrans(), info.bytes_sent()), (None, None));
    }
}
