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
	SLUICE_ET_REQUEST = 9, /* reserved: asking the sender back */
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

#define SLUICE_SIZE(TYPE, SIZE) _Static_assert(sizeof(struct TYPE) == (SIZE), #TYPE)
SLUICE_SIZE(sluice_condition, 8);
SLUICE_SIZE(sluice_action, 16);
SLUICE_SIZE(sluice_action_limit, 32);
SLUICE_SIZE(sluice_action_name, 40);
SLUICE_SIZE(sluice_action_set_add, 24);
SLUICE_SIZE(sluice_hello, 24);
SLUICE_SIZE(sluice_refusal, 88);
#undef SLUICE_SIZE

#endif
