/* SPDX-License-Identifier: Apache-2.0 */
/* Actions and programs: what a rule does.
 *
 * An action is an `op`: a kind, a size, its arguments; a list of actions is ops one behind the
 * other.  A kind is a row of actions.def naming a `struct action_class` in a file act-*.c,
 * which knows all of it: run, validate, text, wire.
 *
 * A rule's instructions become a `struct program` (immutable, RCU).  Walking the tables composes
 * the programs of the rules on the path into one path program: the apply lists in order, the action
 * set in the standard's order, every rule id on the path.  Its length is bounded; the actions stage
 * runs it.  A rule of one table without action set is its own path program, so nothing is copied.
 * Composition changes only the packet's key (compose), running changes its octets (run): hence a
 * path can be kept and run again for packets with the same key. */
#ifndef SLUICE_ACTION_H
#define SLUICE_ACTION_H

#include "datapath/match.h"
#include "datapath/pkt.h"
#include "lib/rmap.h"

enum action_kind {
#define ACTION(ID, OBJECT) ACTION_##ID,
#include "datapath/actions.def"
#undef ACTION
	N_ACTIONS
};

struct op {
	uint8_t kind; /* enum action_kind */
	uint8_t flags;
	uint16_t size;  /* of all of it, a multiple of 8 */
	uint32_t arg;   /* port, TTL, table …: what most actions need */
	uint8_t data[]; /* what some need more */
};

/* Where an action stands in the execution of an action set (TS-023, 5.10).  The set holds one
 * action of each kind; of set_field one for each field. */
enum set_order {
	SET_COPY_TTL_IN,
	SET_POP,
	SET_PUSH_MPLS,
	SET_PUSH_PBB,
	SET_PUSH_VLAN,
	SET_COPY_TTL_OUT,
	SET_DEC_TTL,
	SET_SET,
	SET_QOS,
	SET_GROUP,
	SET_OUTPUT,
	N_SET_ORDERS,
	SET_NEVER, /* apply lists only */
};

enum act_result { ACT_NEXT, ACT_DONE /* the packet is gone */ };

/* How text and wire say an action, and what op->arg is then. */
enum op_form {
	FORM_OWN,  /* by parse, format, get and put of its class */
	FORM_BARE, /* nothing */
	FORM_TTL,  /* 8 bits */
	FORM_TYPE, /* an Ethernet type, one of class->types if those are given */
};

struct action_class {
	const char *name;  /* in FLOW text */
	int of_type;       /* OFPAT_*, -1: none; OFPAT_EXPERIMENTER with exp_type */
	uint16_t exp_type; /* of SLUICE_EXPERIMENTER */
	enum set_order order;
	bool outputs; /* it takes the packet somewhere: all but the last need a copy */
	bool ends;    /* … and nothing is run behind it: the last of its list, no table follows */
	/* A program with either is no mere drop: what outlasts the packet, or is heard of it. */
	bool effects, tells;
	enum op_form form;
	uint16_t types[2];
	/* Its effect on the key is in octets that the key does not tell of: tables behind it come
	 * when it has been run (op_reshapes). */
	bool reshapes;
	/* Its effect on the key, for the tables behind it; NULL: none.  Worker or control. */
	void (*compose)(const struct op *op, struct du_key *key);
	/* Does it.  For one that outputs, the packet is taken.  Otherwise ACT_DONE after a drop. */
	enum act_result (*run)(struct worker *w, struct pkt *p, const struct op *op);
	/* Refuses what the match cannot lead to (prerequisites).  May change `state`, the match as
	 * the actions before left it.  NULL: nothing to check. */
	int (*validate)(const struct op *op, struct match *state, struct refusal *r);
	/* All four of FORM_OWN alone.
	 * FLOW text: `arg` is what stands behind the colon or in the parentheses, "" when nothing
	 * does.  Appends one op. */
	int (*parse)(const char *arg, struct buf *ops, struct refusal *r);
	void (*format)(const struct op *op, struct buf *text);
	/* The wire form (TS-023, 7.2.5) without its type and length: `body` begins behind them.
	 * put() appends the body; padding and length are the caller's. */
	int (*get)(struct reader *body, struct buf *ops, struct refusal *r);
	void (*put)(const struct op *op, struct buf *wire);
};

const struct action_class *action_class(enum action_kind kind);

/* action-form.c: one action's text and wire form, whatever its form. */
int action_parse(enum action_kind kind, const char *arg, struct buf *ops, struct refusal *r);
void action_format(const struct op *op, struct buf *text);
int action_get(enum action_kind kind, struct reader *body, struct buf *ops, struct refusal *r);
void action_put(const struct op *op, struct buf *wire);

/* What composition (rules.c) cannot say: the key behind it is read from the octets. */
bool op_reshapes(const struct op *op);
/* Two actions of which an action set holds one: of one kind, and of set_field of one field. */
static inline bool op_same_in_set(const struct op *a, const struct op *b)
{
	return a->kind == b->kind && (a->kind != ACTION_SET_FIELD || a->arg == b->arg);
}

/* actions.c: what output to op->arg (OFPP_… or a port's OpenFlow number, host order) does; at most
 * `max_len` octets go to controllers.  Takes p. */
void output_run(struct worker *w, struct pkt *p, uint32_t ofport, uint16_t max_len);
/* actions.c: a TTL that has run out: to controllers that asked for it, or dropped.  Takes p. */
void ttl_invalid(struct worker *w, struct pkt *p);
/* actions.c: runs ops that are not the end of the path: what outputs gets a copy.  ACT_DONE: p is
 * gone. */
enum act_result ops_run(struct worker *w, struct pkt *p, const struct path_rule *rules,
			const void *ops, size_t size);
/* actions.c: a copy for an output that others follow; NULL: lost, and counted. */
struct pkt *copy_for_output(struct worker *w, const struct pkt *p);

#define OP_FOR_EACH(OP, OPS, SIZE)                                            \
	for (const struct op *OP = (const void *)(OPS);                       \
	     (size_t)((const uint8_t *)OP - (const uint8_t *)(OPS)) < (SIZE); \
	     OP = (const void *)((const uint8_t *)OP + OP->size))

/* Appends an op with `data_size` octets of data, padded to 8; returns it. */
struct op *op_put(struct buf *ops, enum action_kind kind, uint32_t arg, size_t data_size);

/* act-set-field.c.  The op's `arg` is the field's id, its data the value and the mask (ones: all of
 * the field), f->size octets each.  Refuses fields that cannot be set, and values they cannot have.
 */
int set_field_put(struct buf *ops, const struct field_value *v, struct refusal *r);
bool set_field_is_masked(const struct op *op);
/* OpenFlow 1.3's set_field cannot say it, Nicira's reg_load2 can. */
bool set_field_by_load(const struct op *op);
/* write-field.c: writes masked bits of a field into the packet's octets, keeping checksums right,
 * and into its key.  ACT_DONE: there is no such header, or no memory; the packet was dropped. */
enum act_result set_field_run(struct worker *w, struct pkt *p, const struct field_value *v);
/* … into a key alone. */
void set_field_key(struct du_key *key, const struct field_value *v);

/* act-set-add.c: the set that an op adds to; 0: none. */
uint64_t op_set(const struct op *op);
/* The packet's fields that it puts there; N_FIELDS: none. */
void op_set_fields(const struct op *op, uint16_t field[2]);

/* What a flow-mod says beside its match. */
struct instructions {
	bool has_apply, has_write, clear, has_goto;
	uint8_t goto_table;
	uint32_t meter;                   /* 0: none */
	uint64_t metadata, metadata_mask; /* host order; mask 0: no write_metadata */
	struct buf apply, write;          /* ops */
};

void instructions_free(struct instructions *i);

enum program_flags {
	PROGRAM_DROPS =
		1 << 0, /* no output on any way through it, no goto, no effect but the drop */
	PROGRAM_PLAIN = 1 << 1, /* apply list only: it is its own path */
};

struct program {
	uint16_t flags;
	bool clear, has_goto;
	uint8_t goto_table, n_rules;
	uint32_t meter;
	be64 metadata, metadata_mask;
	uint16_t apply_size, write_size;
	uint32_t users;        /* rules that share it; 0: it is not shared */
	struct rmap_node node; /* among the shared ones */
	/* A path's rules, in order; NULL in a rule's own program.  op->flags of a path's op is the
	 * index of the rule it came from. */
	const struct path_rule *rules;
	uint8_t ops[]; /* the meter, the apply list, then the actions to write */
};

enum { PATH_OPS = 4096, PATH_RULES = 64 }; /* octets of ops and rules on one path, at most */

/* Never NULL.  Equal ones are one, shared: program_free() gives back what one caller was given,
 * after a grace period if it was published.  Control thread. */
struct program *program_compile(const struct instructions *i);
void program_free(struct program *p);

/* Checks instructions against a match: prerequisites of each action, tables forward only, no group
 * or meter that does not exist, sizes.  Control thread. */
struct switch_limits {
	uint8_t table, n_tables;
	bool (*port_exists)(uint32_t ofport);
	bool (*group_exists)(uint32_t group);
	bool (*meter_exists)(uint32_t meter);
	bool to_table; /* a packet-out: output to TABLE is for these */
};
int instructions_validate(const struct instructions *i, const struct match *m,
			  const struct switch_limits *limits, struct refusal *r);

/* FLOW text behind `actions=`: actions of the apply list, and the instructions
 * `write_actions(…)`, `apply_actions(…)`, `clear_actions`, `write_metadata:V/M`, `goto_table:N`,
 * `meter:N`; `drop` alone for none.  `pass` is goto_table:0, which only the guard can have. */
int instructions_parse(const char *text, struct instructions *i, struct refusal *r);
void instructions_format(const struct instructions *i, struct buf *text);

/* The wire form: `size` octets of ofp_instruction; of ofp_action. */
int instructions_get(struct reader *wire, struct instructions *i, struct refusal *r);
void instructions_put(const struct instructions *i, struct buf *wire);
int actions_parse(const char *text, struct buf *ops, struct refusal *r);
void actions_format(const void *ops, size_t size, struct buf *text);
int actions_get(struct reader *wire, struct buf *ops, struct refusal *r);
void actions_put(const void *ops, size_t size, struct buf *wire);
/* OFPP_… or a port that an output among the ops names: for out_port filters. */
bool actions_output_to(const void *ops, size_t size, uint32_t ofport);
/* The same for a group (OFPG_ANY: any): for out_group filters. */
bool actions_group_to(const void *ops, size_t size, uint32_t group);
/* A list of actions as the action set that it makes, in order of execution: the last one of a
 * kind (and field) counts, and with a group there is no output (TS-023, 5.10).  Takes none of
 * SET_NEVER. */
void actions_as_set(const void *ops, size_t size, struct buf *set);
/* What is wrong with an output or group among the ops; 0: nothing. */
int actions_check_targets(const void *ops, size_t size, const struct switch_limits *limits,
			  struct refusal *r);

#endif
