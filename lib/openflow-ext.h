/* SPDX-License-Identifier: Apache-2.0 */
/* What sluice adds to OpenFlow 1.3: every number and layout of our experimenter id, in one place.
 *
 * Fields (OXM class 0xffff) are rows of datapath/fields.def, numbered 0 to 59; behind them stand
 * conditions.  Actions are experimenter actions; their type is the two octets behind the id.
 * Messages are OFPT_EXPERIMENTER and OFPMP_EXPERIMENTER, rows of ctl/experimenters.def and
 * ctl/exp-multiparts.def.  Numbers are never given twice.  docs/protocol.md says all of it to those
 * who write a client; the layouts here give sizes and offsets, octets go through cursors.
 *
 * Names are octets of text with zeros behind; padding is zero, and passed over. */
#ifndef SLUICE_OPENFLOW_EXT_H
#define SLUICE_OPENFLOW_EXT_H

#include "lib/openflow-wire.h"

enum { SLUICE_EXPERIMENTER = 0x534c5543 }; /* "SLUC" */

/* A flag of meters: the unit is the aggregate, before decryption. */
enum { SLUICE_METER_AGGREGATE = 1 << 15 };

/* ---- Conditions of a match, as fields ------------------------------------------------------ */

enum sluice_oxm {
	SLUICE_OXM_RANGE = 60,
	SLUICE_OXM_SET = 61,
	SLUICE_OXM_BPF = 62,
	SLUICE_OXM_SET_PAIR = 63,
};

/* Behind the four octets of the OXM header. */
struct sluice_condition {
	be32 experimenter;
	uint8_t flags;  /* 1: negated; of programs 2: of the frame as it arrived, 4: payload, too */
	uint8_t number; /* of the field that is asked; of programs 0, as the class */
	be16 oxm_class; /* 0xffff: the experimenter's id follows; then the argument */
};

/* ---- Actions ----------------------------------------------------------------------------- */

enum sluice_action_type {
	SLUICE_AT_LIMIT = 1,
	SLUICE_AT_SAMPLE = 2,
	SLUICE_AT_LIMITER = 3,
	SLUICE_AT_CONNLIMIT = 4,
	SLUICE_AT_SET_ADD = 5,
	SLUICE_AT_CLAMP_MSS = 6,
	SLUICE_AT_REJECT = 7,
};

struct sluice_action {
	be16 type, length; /* 0xffff */
	be32 experimenter;
	be16 exp_type;
	uint8_t body[6]; /* and what follows; zeros to a multiple of 8 */
};

struct sluice_action_limit {
	be16 type, length;
	be32 experimenter;
	be16 exp_type, unit; /* 0: packets, 1: bits */
	uint8_t pad[4];
	uint8_t rate[8], burst[8]; /* 64 bits each; burst 0: by itself */
};

struct sluice_action_name { /* limiter, connlimit */
	be16 type, length;
	be32 experimenter;
	be16 exp_type;
	char name[30];
};

struct sluice_action_set_add {
	be16 type, length;
	be32 experimenter;
	be16 exp_type;
	uint8_t prefix, pad;
	be32 timeout_ms;     /* 0: the set's own */
	uint8_t field[2][4]; /* OXM headers; the second of a pair, otherwise zeros */
	char name[];
};

/* ---- Messages ---------------------------------------------------------------------------- */

enum sluice_exp_type {
	SLUICE_ET_HELLO = 1,
	SLUICE_ET_REFUSAL = 2, /* from the switch alone */
	SLUICE_ET_RULE_MOD = 3,
	SLUICE_ET_DRY_RUN = 4, /* from the switch alone */
	SLUICE_ET_CONFIRM = 5,
	SLUICE_ET_SET_MOD = 6,
	SLUICE_ET_MEMBERS_MOD = 7,
	SLUICE_ET_LIMITER_MOD = 8,
	SLUICE_ET_REQUEST = 9,
};

enum { SLUICE_EXT_VERSION = 1 };

/* Who installed a rule. */
enum sluice_origin {
	SLUICE_ORIGIN_CLI = 0,
	SLUICE_ORIGIN_BGP = 1,
	SLUICE_ORIGIN_WATCH = 2,
	SLUICE_ORIGIN_REQUEST = 3,
	SLUICE_ORIGIN_CONTROLLER = 4,
	SLUICE_ORIGIN_NONE = 0xff,
};

/* Both ways: what the peer wants; what is in force, and what the peer is here. */
enum sluice_hello_flags { SLUICE_HELLO_REASONS = 1 << 0 };
struct sluice_hello {
	struct ofp_experimenter_header header;
	be16 version;
	uint8_t origin, pad; /* enum sluice_origin: of the peer's guard rules, or none */
	be32 flags;
};

/* Behind an OFPT_ERROR, of its xid, to peers that want reasons. */
struct sluice_refusal {
	struct ofp_experimenter_header header;
	be16 type, code; /* as the error has it */
	uint8_t pad[4];
	char name[32], field[32]; /* the stable code; what is at fault, or nothing */
				  /* then a sentence */
};

/* ---- Rules ------------------------------------------------------------------------------- */

enum sluice_rule_flags {
	SLUICE_RULE_DRY_RUN = 1 << 0,    /* nothing is changed: sluice_dry_run answers */
	SLUICE_RULE_GUARD = 1 << 1,      /* of the guard, as the connection's origin */
	SLUICE_RULE_WIDE = 1 << 2,       /* that it drops nearly everything is meant */
	SLUICE_RULE_UNVERIFIED = 1 << 3, /* that forgeries spend its meter is meant */
	SLUICE_RULE_FOREVER = 1 << 4,    /* of the guard, of origin cli: it does not expire */
};

struct sluice_rule_mod {
	struct ofp_experimenter_header header;
	be32 flags;
	be32 expire_ms;  /* 0: by itself: never, in the guard in an hour */
	be32 confirm_ms; /* until then sluice's confirm has to come; 0: it need not */
	be16 reason_size;
	uint8_t pad[2]; /* then the reason, zeros to a multiple of 8, and ofp_flow_mod from its
			 * cookie on */
};

struct sluice_dry_run {
	struct ofp_experimenter_header header;
	be32 evidence; /* 1: there is enough of it */
	be32 snapshots, snapshots_hit, snapshots_unknown, sources, targets;
	uint8_t age_ns[8], packets[8], packets_hit[8], octets[8], octets_hit[8], dropped[8];
};

/* ---- Sets -------------------------------------------------------------------------------- */

enum sluice_set_command { SLUICE_SET_ADD, SLUICE_SET_DELETE, SLUICE_SET_SWAP };
enum sluice_set_type { /* as enum set_type */
		       SLUICE_SET_IPV4,
		       SLUICE_SET_IPV6,
		       SLUICE_SET_PORT,
		       SLUICE_SET_NUMBER,
		       SLUICE_SET_ETH,
		       SLUICE_SET_IPV4_PORT,
		       SLUICE_SET_IPV6_PORT,
		       SLUICE_SET_IPV4_IPV4,
		       SLUICE_SET_IPV6_IPV6,
};
enum sluice_set_flags {
	SLUICE_SET_TIMEOUTS = 1 << 0,
	SLUICE_SET_COUNTERS = 1 << 1,
	SLUICE_SET_PROTECTED = 1 << 2,
	SLUICE_SET_EMPTY = 1 << 3, /* of a swap: that it empties what a rule asks is meant */
};

/* What follows `command` is looked at by what needs it: `other` and SLUICE_SET_EMPTY by a swap,
 * the rest by an add. */
struct sluice_set_mod {
	struct ofp_experimenter_header header;
	uint8_t command, type;
	be16 flags;
	be32 timeout_ms; /* of members that say none; 0: for ever */
	uint8_t max[8];  /* members, 64 bits; 0: by itself */
	char name[32], other[32];
};

enum sluice_members_command { SLUICE_MEMBERS_ADD, SLUICE_MEMBERS_DELETE };
enum { SLUICE_MEMBERS_MAX = 512 }; /* of one message */

struct sluice_members_mod {
	struct ofp_experimenter_header header;
	uint8_t command, pad[7];
	char name[32]; /* then members */
};

#define SLUICE_TIMEOUT_OWN UINT32_MAX /* the set's */
struct sluice_member {
	uint8_t prefix, pad[3]; /* length, of addresses alone; otherwise 0 */
	be32 timeout_ms;        /* 0: for ever */
	uint8_t value[];        /* by the set's type 8, 16, 24 or 32 octets */
};

/* ---- Limits by key ----------------------------------------------------------------------- */

enum sluice_limiter_command { SLUICE_LIMITER_ADD, SLUICE_LIMITER_MODIFY, SLUICE_LIMITER_DELETE };
enum sluice_limiter_kind { SLUICE_LIMITER, SLUICE_CONNLIMIT };
enum sluice_limiter_unit { SLUICE_UNIT_PACKETS, SLUICE_UNIT_BITS };

struct sluice_limiter_mod {
	struct ofp_experimenter_header header;
	uint8_t command, kind, unit, pad;
	be32 keys;                 /* 0: by itself; as `by` when it is made */
	uint8_t rate[8], burst[8]; /* a second; of connection limits new ones; burst 0: by itself */
	be32 conns, idle_ms;       /* of connection limits; 0: none, by itself */
	char name[32];             /* then `by`, as text with zeros behind */
};

/* ---- Requests ---------------------------------------------------------------------------- */

/* What a receiver asks of who sends to it. */
enum sluice_request_what { SLUICE_REQUEST_STOP, SLUICE_REQUEST_SLOW };

struct sluice_request {
	struct ofp_experimenter_header header;
	uint8_t what, unit; /* of the rate: enum sluice_limiter_unit */
	be16 priority;      /* among the requests */
	be32 lifetime_ms;   /* 0: what was asked is taken back */
	uint8_t rate[8];    /* a second, to slow down to */
	be16 reason_size;
	uint8_t pad[6]; /* then the reason, zeros to a multiple of 8, and ofp_match */
};

/* ---- Long answers ------------------------------------------------------------------------ */

/* OFPMP_EXPERIMENTER: a request is asked by its type, a reply's body is entries, each of which
 * begins with its length. */
enum sluice_multipart {
	SLUICE_MP_SETS = 1,
	SLUICE_MP_MEMBERS = 2,
	SLUICE_MP_RULES = 3,
	SLUICE_MP_CONNS = 4,
	SLUICE_MP_LIMITERS = 5,
};

struct sluice_multipart_header { /* behind ofp_multipart_request, both ways */
	be32 experimenter, exp_type;
};

struct sluice_set {
	be16 length;
	uint8_t type, pad;
	be32 flags;
	uint8_t timeout_ms[8], max[8], members[8], octets[8], full[8], kept_out[8];
	char name[32];
};

struct sluice_members_request {
	char name[32];
};

struct sluice_set_member {
	be16 length;
	uint8_t prefix, pad;
	be32 left_ms; /* 0: it does not end */
	uint8_t packets[8], octets[8];
	uint8_t value[];
};

enum { SLUICE_RULES_TABLES, SLUICE_RULES_GUARD };
struct sluice_rules_request {
	uint8_t which, pad[7];
};

enum sluice_rule_state {
	SLUICE_RULE_EARLY = 1 << 0, /* it drops before decryption */
};
struct sluice_rule {
	be16 length;
	uint8_t origin, state;
	be16 reason_size;
	uint8_t pad[2];
	uint8_t expires_ms[8]; /* from now; 0: never */
			       /* then the reason, zeros to a multiple of 8, and ofp_flow_stats */
};

struct sluice_conn {
	be16 length;
	uint8_t up, family;       /* of the addresses: 4 or 6 */
	be32 port_no, in_id, pad; /* the number that the format carries towards us */
	uint8_t local[16], remote[16];
	uint8_t rx_packets[8], rx_octets[8], tx_packets[8], tx_octets[8], rx_dropped[8],
		tx_dropped[8], rx_errors[8], tx_errors[8], early_packets[8], early_octets[8];
	char name[32], type[16]; /* then readings */
};

struct sluice_reading {
	char name[32];
	uint8_t value[8];
};

struct sluice_limiter {
	be16 length;
	uint8_t kind, unit;
	be32 keys;
	uint8_t rate[8], burst[8];
	be32 conns, idle_ms, rules, pad;
	uint8_t passed[8], dropped[8], shared[8];
	char name[32]; /* then `by` */
};

#define SLUICE_SIZE(TYPE, SIZE) _Static_assert(sizeof(struct TYPE) == (SIZE), #TYPE)
SLUICE_SIZE(sluice_condition, 8);
SLUICE_SIZE(sluice_action, 16);
SLUICE_SIZE(sluice_action_limit, 32);
SLUICE_SIZE(sluice_action_name, 40);
SLUICE_SIZE(sluice_action_set_add, 24);
SLUICE_SIZE(sluice_hello, 24);
SLUICE_SIZE(sluice_refusal, 88);
SLUICE_SIZE(sluice_rule_mod, 32);
SLUICE_SIZE(sluice_dry_run, 88);
SLUICE_SIZE(sluice_set_mod, 96);
SLUICE_SIZE(sluice_members_mod, 56);
SLUICE_SIZE(sluice_member, 8);
SLUICE_SIZE(sluice_multipart_header, 8);
SLUICE_SIZE(sluice_set, 88);
SLUICE_SIZE(sluice_members_request, 32);
SLUICE_SIZE(sluice_set_member, 24);
SLUICE_SIZE(sluice_rules_request, 8);
SLUICE_SIZE(sluice_rule, 16);
SLUICE_SIZE(sluice_conn, 176);
SLUICE_SIZE(sluice_reading, 40);
SLUICE_SIZE(sluice_limiter_mod, 80);
SLUICE_SIZE(sluice_limiter, 96);
SLUICE_SIZE(sluice_request, 40);
#undef SLUICE_SIZE

#endif
