/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction is made of: operations with their texts, made and freed. */
#include "ofproto/memory.h"
#include "ofproto/store.h"

static struct store_op *op_new(enum store_what what)
{
	struct store_op *op = mem_new(sizeof *op);

	op->what = what;
	return op;
}

struct store_op *store_op_object(const char *kind, const char *name, const char *text)
{
	struct store_op *op = op_new(text ? STORE_OBJECT_PUT : STORE_OBJECT_DEL);

	op->kind = mem_text(kind);
	op->name = mem_text(name);
	op->text = mem_text(text);
	return op;
}

struct store_op *store_op_flow(const struct store_flow *f)
{
	struct store_op *op = op_new(STORE_FLOW_PUT);

	op->flow = *f;
	op->kind = mem_text(f->origin);
	op->name = mem_text(f->reason);
	op->text = mem_text(f->text);
	return op;
}

struct store_op *store_op_flow_del(int64_t id)
{
	struct store_op *op = op_new(STORE_FLOW_DEL);

	op->flow.id = id;
	return op;
}

struct store_op *store_op_flow_count(const struct store_flow *f)
{
	struct store_op *op = op_new(STORE_FLOW_COUNT);

	op->flow = *f;
	return op;
}

struct store_op *store_op_lives(void)
{
	return op_new(STORE_LIVES);
}

struct store_op *store_op_proven(void)
{
	return op_new(STORE_PROVEN);
}

struct store_op *store_op_journal(void)
{
	return op_new(STORE_JOURNAL_PUT);
}

void store_op_journal_fill(struct store_op *op, const struct store_journal *j)
{
	op->journal = *j;
	op->journal.origin = mem_text(j->origin);
	op->journal.who = mem_text(j->who);
	op->journal.what = mem_text(j->what);
	op->journal.undo = mem_text(j->undo);
	op->journal.diff = mem_text(j->diff);
}

struct store_op *store_op_journal_trim(int64_t below)
{
	struct store_op *op = op_new(STORE_JOURNAL_TRIM);

	op->flow.id = below;
	return op;
}

static struct store_op *op_set(enum store_what what, const char *name, struct buf *blob)
{
	struct store_op *op = op_new(what);

	op->name = mem_text(name);
	if (blob) {
		op->blob = *blob;
		*blob = (struct buf){0};
	}
	return op;
}

struct store_op *store_op_set(const char *name, struct buf *blob)
{
	return op_set(blob ? STORE_SET_PUT : STORE_SET_DEL, name, blob);
}

struct store_op *store_op_set_log(const char *name, struct buf *blob)
{
	return op_set(STORE_SET_LOG, name, blob);
}

struct store_op *store_op_set_trim(const char *name)
{
	return op_set(STORE_SET_TRIM, name, NULL);
}

static void journal_free(struct store_journal *j)
{
	const char *text[] = {j->origin, j->who, j->what, j->undo, j->diff};

	for (unsigned i = 0; i < ARRAY_SIZE(text); i++)
		free((char *)(uintptr_t)text[i]);
}

void store_ops_free(struct store_op *ops)
{
	while (ops) {
		struct store_op *next = ops->next;

		journal_free(&ops->journal);
		buf_free(&ops->blob);
		free(ops->kind);
		free(ops->name);
		mem_wipe_text(ops->text);
		free(ops);
		ops = next;
	}
}
