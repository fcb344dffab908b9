# SPDX-License-Identifier: Apache-2.0
"""An os-ken application that asks a switch for everything OpenFlow 1.3 has a multipart for, learns
an address as a simple switch does, and prints what it heard, a line each.  It ends the process when
the last answer is there.

    osken-manager --ofp-tcp-listen-port PORT osken-multiparts.py
"""
import os
import sys

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_3


def say(*words):
    print(*words)
    sys.stdout.flush()


class Multiparts(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.begun = False
        self.waiting = []

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, ev):
        dp = ev.msg.datapath
        p, o = dp.ofproto_parser, dp.ofproto
        say('features tables=%d buffers=%d' % (ev.msg.n_tables, ev.msg.n_buffers))
        # The table-miss entry, and a rule with something of everything.
        dp.send_msg(p.OFPFlowMod(
            datapath=dp, priority=0, match=p.OFPMatch(), instructions=[
                p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, [
                    p.OFPActionOutput(o.OFPP_CONTROLLER, o.OFPCML_NO_BUFFER)])]))
        dp.send_msg(p.OFPFlowMod(
            datapath=dp, priority=10, cookie=0x77, idle_timeout=60, hard_timeout=600,
            flags=o.OFPFF_SEND_FLOW_REM,
            match=p.OFPMatch(in_port=1, eth_type=0x0800, ip_proto=6, tcp_dst=80,
                             ipv4_src=('10.0.0.0', '255.0.0.0')),
            instructions=[
                p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, [
                    p.OFPActionSetField(ipv4_dst='192.0.2.1'), p.OFPActionDecNwTtl(),
                    p.OFPActionOutput(2)]),
                p.OFPInstructionWriteMetadata(5, 255),
                p.OFPInstructionGotoTable(1)]))
        dp.send_msg(p.OFPBarrierRequest(dp))

    @set_ev_cls(ofp_event.EventOFPBarrierReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def barrier(self, ev):
        dp = ev.msg.datapath
        p, o = dp.ofproto_parser, dp.ofproto
        say('barrier')
        self.begun = True
        self.waiting = [
            p.OFPDescStatsRequest(dp, 0), p.OFPFlowStatsRequest(dp),
            p.OFPAggregateStatsRequest(dp, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0,
                                       p.OFPMatch()),
            p.OFPTableStatsRequest(dp, 0), p.OFPPortStatsRequest(dp, 0, o.OFPP_ANY),
            p.OFPQueueStatsRequest(dp, 0, o.OFPP_ANY, o.OFPQ_ALL),
            p.OFPGroupStatsRequest(dp, 0, o.OFPG_ALL), p.OFPGroupDescStatsRequest(dp, 0),
            p.OFPGroupFeaturesStatsRequest(dp, 0), p.OFPMeterStatsRequest(dp, 0, o.OFPM_ALL),
            p.OFPMeterConfigStatsRequest(dp, 0, o.OFPM_ALL),
            p.OFPMeterFeaturesStatsRequest(dp, 0), p.OFPTableFeaturesStatsRequest(dp, 0),
            p.OFPPortDescStatsRequest(dp, 0), p.OFPGetConfigRequest(dp),
            p.OFPRoleRequest(dp, o.OFPCR_ROLE_MASTER, 1), p.OFPGetAsyncRequest(dp),
            p.OFPQueueGetConfigRequest(dp, o.OFPP_ANY)]
        self.ask(dp)

    def ask(self, dp):
        if self.waiting:
            dp.send_msg(self.waiting.pop(0))
            return
        o, p = dp.ofproto, dp.ofproto_parser
        frame = bytes.fromhex('ffffffffffff020000000001080600010800060400010200000000010a000001'
                              '0000000000000a000002')
        dp.send_msg(p.OFPPacketOut(datapath=dp, buffer_id=o.OFP_NO_BUFFER, in_port=1,
                                   actions=[p.OFPActionOutput(o.OFPP_TABLE)], data=frame))

    def heard(self, ev, *words):
        say(*words)
        self.ask(ev.msg.datapath)

    @set_ev_cls(ofp_event.EventOFPDescStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def desc(self, ev):
        self.heard(ev, 'desc', ev.msg.body.mfr_desc.decode())

    @set_ev_cls(ofp_event.EventOFPFlowStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def flows(self, ev):
        for f in ev.msg.body:
            say('flow', f.table_id, f.priority, hex(f.cookie), f.idle_timeout, f.hard_timeout,
                sorted(f.match.items()), [type(i).__name__ for i in f.instructions])
        self.heard(ev, 'flows', len(ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPAggregateStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def aggregate(self, ev):
        self.heard(ev, 'aggregate', ev.msg.body.flow_count)

    @set_ev_cls(ofp_event.EventOFPTableStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def tables(self, ev):
        self.heard(ev, 'tables', len(ev.msg.body), ev.msg.body[0].active_count)

    @set_ev_cls(ofp_event.EventOFPPortStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def port_stats(self, ev):
        self.heard(ev, 'port-stats', [s.port_no for s in ev.msg.body])

    @set_ev_cls(ofp_event.EventOFPQueueStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def queues(self, ev):
        self.heard(ev, 'queues', len(ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPGroupStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def groups(self, ev):
        self.heard(ev, 'groups', len(ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPGroupDescStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def group_desc(self, ev):
        self.heard(ev, 'group-desc', len(ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPGroupFeaturesStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def group_features(self, ev):
        self.heard(ev, 'group-features', ev.msg.body.types)

    @set_ev_cls(ofp_event.EventOFPMeterStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def meters(self, ev):
        self.heard(ev, 'meters', len(ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPMeterConfigStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def meter_config(self, ev):
        self.heard(ev, 'meter-config', len(ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPMeterFeaturesStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def meter_features(self, ev):
        self.heard(ev, 'meter-features', [f.max_meter for f in ev.msg.body])

    @set_ev_cls(ofp_event.EventOFPTableFeaturesStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def table_features(self, ev):
        say('table-features', len(ev.msg.body), [len(t.properties) for t in ev.msg.body][:2])
        if not ev.msg.flags & ofproto_v1_3.OFPMPF_REPLY_MORE:
            self.ask(ev.msg.datapath)

    @set_ev_cls(ofp_event.EventOFPPortDescStatsReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def port_desc(self, ev):
        if self.begun:  # the first one answers os-ken itself
            self.heard(ev, 'ports', [(p.port_no, p.name.decode()) for p in ev.msg.body])

    @set_ev_cls(ofp_event.EventOFPGetConfigReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def config(self, ev):
        self.heard(ev, 'config', ev.msg.flags, ev.msg.miss_send_len)

    @set_ev_cls(ofp_event.EventOFPRoleReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def role(self, ev):
        self.heard(ev, 'role', ev.msg.role, ev.msg.generation_id)

    @set_ev_cls(ofp_event.EventOFPGetAsyncReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def get_async(self, ev):
        self.heard(ev, 'async', ev.msg.packet_in_mask, ev.msg.port_status_mask,
                   ev.msg.flow_removed_mask)

    @set_ev_cls(ofp_event.EventOFPQueueGetConfigReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def queue_config(self, ev):
        self.heard(ev, 'queue-config', len(ev.msg.queues))

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, ev):
        self.heard(ev, 'error', ev.msg.type, ev.msg.code)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        """Learns like a simple switch: a rule for the source, then the flow is deleted again."""
        msg = ev.msg
        dp, o, p = msg.datapath, msg.datapath.ofproto, msg.datapath.ofproto_parser
        eth = packet.Packet(msg.data).get_protocol(ethernet.ethernet)
        say('packet-in port=%d %s > %s reason=%d table=%d octets=%d' % (
            msg.match['in_port'], eth.src, eth.dst, msg.reason, msg.table_id, len(msg.data)))
        dp.send_msg(p.OFPFlowMod(
            datapath=dp, priority=1, flags=o.OFPFF_SEND_FLOW_REM,
            match=p.OFPMatch(in_port=2, eth_dst=eth.src), instructions=[
                p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS,
                                        [p.OFPActionOutput(msg.match['in_port'])])]))
        dp.send_msg(p.OFPFlowMod(
            datapath=dp, command=o.OFPFC_DELETE, out_port=o.OFPP_ANY, out_group=o.OFPG_ANY,
            match=p.OFPMatch(in_port=2), instructions=[]))

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed(self, ev):
        say('flow-removed', ev.msg.priority, ev.msg.reason, sorted(ev.msg.match.items()))
        os._exit(0)
