/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow 1.3.5 wire structures (ONF TS-023, 7): the fixed part of each; what follows is said
 * beside it.  They give sizes and offsets: octets are read and written by cursors (cursor.h),
 * never by a cast. */
#ifndef SLUICE_OPENFLOW_WIRE_H
#define SLUICE_OPENFLOW_WIRE_H

#include "lib/base.h"

struct ofp_header {
	uint8_t version, type;
	be16 length; /* with this header */
	be32 xid;
};

struct ofp_error_msg {
	struct ofp_header header;
	be16 type, code; /* then the offending message's first octets */
};

struct ofp_experimenter_header {
	struct ofp_header header;
	be32 experimenter, exp_type;
};

struct ofp_switch_features {
	struct ofp_header header;
	be64 datapath_id;
	be32 n_buffers;
	uint8_t n_tables, auxiliary_id, pad[2];
	be32 capabilities, reserved;
};

struct ofp_switch_config {
	struct ofp_header header;
	be16 flags, miss_send_len;
};

struct ofp_match {
	be16 type, length; /* without the padding */
	uint8_t oxm_fields[4];
};

struct ofp_flow_mod {
	struct ofp_header header;
	be64 cookie, cookie_mask;
	uint8_t table_id, command;
	be16 idle_timeout, hard_timeout, priority;
	be32 buffer_id, out_port, out_group;
	be16 flags;
	uint8_t pad[2];
	struct ofp_match match; /* then instructions */
};

struct ofp_packet_out {
	struct ofp_header header;
	be32 buffer_id, in_port;
	be16 actions_len;
	uint8_t pad[6]; /* then actions, then the frame */
};

struct ofp_packet_in {
	struct ofp_header header;
	be32 buffer_id;
	be16 total_len;
	uint8_t reason, table_id;
	be64 cookie;
	struct ofp_match match; /* then two octets of padding, then the frame */
};

struct ofp_flow_removed {
	struct ofp_header header;
	be64 cookie;
	be16 priority;
	uint8_t reason, table_id;
	be32 duration_sec, duration_nsec;
	be16 idle_timeout, hard_timeout;
	be64 packet_count, byte_count;
	struct ofp_match match;
};

enum { OFP_MAX_PORT_NAME_LEN = 16 };

struct ofp_port {
	be32 port_no;
	uint8_t pad[4];
	uint8_t hw_addr[6];
	uint8_t pad2[2];
	char name[OFP_MAX_PORT_NAME_LEN];
	be32 config, state, curr, advertised, supported, peer, curr_speed, max_speed; /* kb/s */
};

struct ofp_port_status {
	struct ofp_header header;
	uint8_t reason, pad[7];
	struct ofp_port desc;
};

struct ofp_port_mod {
	struct ofp_header header;
	be32 port_no;
	uint8_t pad[4];
	uint8_t hw_addr[6];
	uint8_t pad2[2];
	be32 config, mask, advertise;
	uint8_t pad3[4];
};

struct ofp_table_mod {
	struct ofp_header header;
	uint8_t table_id, pad[3];
	be32 config;
};

struct ofp_group_mod {
	struct ofp_header header;
	be16 command;
	uint8_t type, pad;
	be32 group_id; /* then buckets */
};

struct ofp_meter_mod {
	struct ofp_header header;
	be16 command, flags;
	be32 meter_id; /* then bands */
};

struct ofp_meter_band {
	be16 type, len;
	be32 rate, burst_size;
	uint8_t prec_level, pad[3]; /* dscp_remark; of drop all is padding */
};

struct ofp_role_request {
	struct ofp_header header;
	be32 role;
	uint8_t pad[4];
	be64 generation_id;
};

struct ofp_async_config {
	struct ofp_header header;
	be32 packet_in_mask[2], port_status_mask[2], flow_removed_mask[2];
};

struct ofp_queue_get_config_request {
	struct ofp_header header;
	be32 port;
	uint8_t pad[4];
};

struct ofp_multipart_request {
	struct ofp_header header;
	be16 type, flags;
	uint8_t pad[4]; /* then the body */
};

struct ofp_desc {
	char mfr_desc[256], hw_desc[256], sw_desc[256], serial_num[32], dp_desc[256];
};

struct ofp_flow_stats_request {
	uint8_t table_id, pad[3];
	be32 out_port, out_group;
	uint8_t pad2[4];
	be64 cookie, cookie_mask;
	struct ofp_match match;
};

struct ofp_flow_stats {
	be16 length;
	uint8_t table_id, pad;
	be32 duration_sec, duration_nsec;
	be16 priority, idle_timeout, hard_timeout, flags;
	uint8_t pad2[4];
	be64 cookie, packet_count, byte_count;
	struct ofp_match match; /* then instructions */
};

struct ofp_aggregate_stats_reply {
	be64 packet_count, byte_count;
	be32 flow_count;
	uint8_t pad[4];
};

struct ofp_table_stats {
	uint8_t table_id, pad[3];
	be32 active_count;
	be64 lookup_count, matched_count;
};

struct ofp_port_stats_request {
	be32 port_no;
	uint8_t pad[4];
};

struct ofp_port_stats {
	be32 port_no;
	uint8_t pad[4];
	be64 rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors,
		tx_errors, rx_frame_err, rx_over_err, rx_crc_err, collisions;
	be32 duration_sec, duration_nsec;
};

struct ofp_queue_stats_request {
	be32 port_no, queue_id;
};

struct ofp_group_stats_request {
	be32 group_id;
	uint8_t pad[4];
};

struct ofp_bucket {
	be16 len, weight;
	be32 watch_port, watch_group;
	uint8_t pad[4]; /* then actions */
};

struct ofp_bucket_counter {
	be64 packet_count, byte_count;
};

struct ofp_group_stats {
	be16 length;
	uint8_t pad[2];
	be32 group_id, ref_count;
	uint8_t pad2[4];
	be64 packet_count, byte_count;
	be32 duration_sec, duration_nsec; /* then a counter for each bucket */
};

struct ofp_group_desc {
	be16 length;
	uint8_t type, pad;
	be32 group_id; /* then buckets */
};

struct ofp_group_features {
	be32 types, capabilities, max_groups[4], actions[4];
};

struct ofp_meter_multipart_request {
	be32 meter_id;
	uint8_t pad[4];
};

struct ofp_meter_config {
	be16 length, flags;
	be32 meter_id; /* then bands */
};

struct ofp_meter_stats {
	be32 meter_id;
	be16 len;
	uint8_t pad[6];
	be32 flow_count;
	be64 packet_in_count, byte_in_count;
	be32 duration_sec, duration_nsec; /* then bands' */
};

struct ofp_meter_band_stats {
	be64 packet_band_count, byte_band_count;
};

struct ofp_meter_features {
	be32 max_meter, band_types, capabilities;
	uint8_t max_bands, max_color, pad[2];
};

struct ofp_table_features {
	be16 length;
	uint8_t table_id, pad[5];
	char name[32];
	be64 metadata_match, metadata_write;
	be32 config, max_entries; /* then properties */
};

/* Of both bundle messages, behind ofp_header or ofp_experimenter_header. */
struct ofp_bundle {
	be32 bundle_id;
	be16 type; /* of an add padding; then its message */
	be16 flags;
};

#define OFP_SIZE(TYPE, SIZE) _Static_assert(sizeof(struct TYPE) == (SIZE), #TYPE)
OFP_SIZE(ofp_header, 8);
OFP_SIZE(ofp_error_msg, 12);
OFP_SIZE(ofp_experimenter_header, 16);
OFP_SIZE(ofp_switch_features, 32);
OFP_SIZE(ofp_switch_config, 12);
OFP_SIZE(ofp_match, 8);
OFP_SIZE(ofp_flow_mod, 56);
OFP_SIZE(ofp_packet_out, 24);
OFP_SIZE(ofp_packet_in, 32);
OFP_SIZE(ofp_flow_removed, 56);
OFP_SIZE(ofp_port, 64);
OFP_SIZE(ofp_port_status, 80);
OFP_SIZE(ofp_port_mod, 40);
OFP_SIZE(ofp_table_mod, 16);
OFP_SIZE(ofp_group_mod, 16);
OFP_SIZE(ofp_meter_mod, 16);
OFP_SIZE(ofp_meter_band, 16);
OFP_SIZE(ofp_role_request, 24);
OFP_SIZE(ofp_async_config, 32);
OFP_SIZE(ofp_queue_get_config_request, 16);
OFP_SIZE(ofp_multipart_request, 16);
OFP_SIZE(ofp_desc, 1056);
OFP_SIZE(ofp_flow_stats_request, 40);
OFP_SIZE(ofp_flow_stats, 56);
OFP_SIZE(ofp_aggregate_stats_reply, 24);
OFP_SIZE(ofp_table_stats, 24);
OFP_SIZE(ofp_port_stats_request, 8);
OFP_SIZE(ofp_port_stats, 112);
OFP_SIZE(ofp_queue_stats_request, 8);
OFP_SIZE(ofp_group_stats_request, 8);
OFP_SIZE(ofp_bucket, 16);
OFP_SIZE(ofp_bucket_counter, 16);
OFP_SIZE(ofp_group_stats, 40);
OFP_SIZE(ofp_group_desc, 8);
OFP_SIZE(ofp_group_features, 40);
OFP_SIZE(ofp_meter_multipart_request, 8);
OFP_SIZE(ofp_meter_config, 8);
OFP_SIZE(ofp_meter_stats, 40);
OFP_SIZE(ofp_meter_band_stats, 16);
OFP_SIZE(ofp_meter_features, 16);
OFP_SIZE(ofp_table_features, 64);
OFP_SIZE(ofp_bundle, 8);
#undef OFP_SIZE

#endif
