# SPDX-License-Identifier: Apache-2.0
"""A switch that learns, as os-ken applications are written: what no rule knows comes to the
controller, which notes where its sender is, floods or forwards it, and puts a rule in when it knows
both ends.

    [SWITCH_MAX_LEN=N] osken-manager --ofp-tcp-listen-port PORT osken-switch.py

With SWITCH_MAX_LEN a packet-in has so many octets, and the packet waits in the switch.
"""
import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ether_types, ethernet
from os_ken.ofproto import ofproto_v1_3


class Switch(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.place = {}

    def rule(self, dp, priority, match, actions, buffer_id=ofproto_v1_3.OFP_NO_BUFFER):
        parser = dp.ofproto_parser
        dp.send_msg(parser.OFPFlowMod(
            datapath=dp, buffer_id=buffer_id, priority=priority, match=match,
            instructions=[parser.OFPInstructionActions(dp.ofproto.OFPIT_APPLY_ACTIONS, actions)]))

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def begin(self, ev):
        dp = ev.msg.datapath
        max_len = int(os.environ.get('SWITCH_MAX_LEN', dp.ofproto.OFPCML_NO_BUFFER))
        self.rule(dp, 0, dp.ofproto_parser.OFPMatch(),
                  [dp.ofproto_parser.OFPActionOutput(dp.ofproto.OFPP_CONTROLLER, max_len)])

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        ofp, parser = dp.ofproto, dp.ofproto_parser
        port = msg.match['in_port']
        eth = ethernet.ethernet.parser(msg.data)[0]
        if eth.ethertype == ether_types.ETH_TYPE_LLDP:
            return
        places = self.place.setdefault(dp.id, {})
        places[eth.src] = port
        to = places.get(eth.dst, ofp.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(to)]
        held = msg.buffer_id != ofp.OFP_NO_BUFFER
        if to != ofp.OFPP_FLOOD:
            match = parser.OFPMatch(in_port=port, eth_dst=eth.dst, eth_src=eth.src)
            self.rule(dp, 1, match, actions, msg.buffer_id)
            if held:
                return
        dp.send_msg(parser.OFPPacketOut(datapath=dp, buffer_id=msg.buffer_id, in_port=port,
                                        actions=actions, data=None if held else msg.data))

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, ev):
        print('error', ev.msg.type, ev.msg.code, flush=True)
