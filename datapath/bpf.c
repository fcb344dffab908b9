/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/bpf.h"

#include <ctype.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/bpf-words.h"
#include "lib/hash.h"
#include "lib/rcu.h"

struct filter {
	uint64_t handle;
	/* The control thread's. */
	uint32_t users, hash;
	uint64_t turn; /* when it was last asked for */
	char *text;    /* the expression; NULL: it came as bytecode */
	enum bpf_link link;
	uint32_t n;
	struct bpf_insn insn[];
};

/* A handle is its place and, above, a number that grows. */
static struct filter *places[BPF_MAX]; /* RCU */
static uint64_t next_serial = 1, turn;
static unsigned n_programs;

static struct filter *filter_get(uint64_t handle)
{
	struct filter *p = rcu_get(places[handle % BPF_MAX]);

	return p && p->handle == handle ? p : NULL;
}

bool bpf_run(uint64_t handle, const uint8_t *data, uint32_t size, uint32_t len)
{
	const struct filter *p = filter_get(handle);

	return p && bpf_filter(p->insn, data, len, size);
}

bool bpf_exists(uint64_t handle)
{
	return filter_get(handle);
}

int bpf_constant(uint64_t handle)
{
	const struct filter *p = filter_get(handle);
	bool takes = false, leaves = !p, loads = false;

	for (unsigned i = 0; p && i < p->n; i++) {
		unsigned short code = p->insn[i].code, class = BPF_CLASS(code);

		/* A load behind the end, or a division by zero, is the program's: not taken. */
		loads |= class == BPF_LD || class == BPF_LDX || class == BPF_ALU;
		if (class != BPF_RET)
			continue;
		takes |= BPF_RVAL(code) != BPF_K || p->insn[i].k;
		leaves |= BPF_RVAL(code) != BPF_K || !p->insn[i].k;
	}
	return !takes ? 0 : leaves || loads ? -1 : 1;
}

bool bpf_has_text(uint64_t handle)
{
	const struct filter *p = filter_get(handle);

	return p && p->text;
}

void bpf_hold(uint64_t handle)
{
	struct filter *p = filter_get(handle);

	if (p)
		p->users++;
}

void bpf_release(uint64_t handle)
{
	struct filter *p = filter_get(handle);

	if (p)
		p->users--;
}

void bpf_turn(void)
{
	turn++;
}

unsigned bpf_count(void)
{
	return n_programs;
}

/* ---- Places ------------------------------------------------------------------------------ */

static void forget(unsigned place)
{
	struct filter *p = places[place];

	rcu_set(places[place], NULL);
	free(p->text);
	rcu_free(p);
	n_programs--;
}

/* An empty place, or the one that nobody has asked for the longest; BPF_MAX: all are in use. */
static unsigned find_place(void)
{
	unsigned best = BPF_MAX;

	for (unsigned i = 0; i < BPF_MAX; i++) {
		const struct filter *p = places[i];

		if (!p)
			return i;
		if (!p->users && p->turn < turn &&
		    (best == BPF_MAX || p->turn < places[best]->turn))
			best = i;
	}
	if (best != BPF_MAX)
		forget(best);
	return best;
}

static bool same(const struct filter *p, enum bpf_link link, const struct bpf_program *code)
{
	return p->link == link && p->n == code->bf_len &&
	       !memcmp(p->insn, code->bf_insns, code->bf_len * sizeof p->insn[0]);
}

static uint32_t code_hash(enum bpf_link link, const struct bpf_program *code)
{
	uint64_t word, h = hash_add(hash_seed, link);

	for (unsigned i = 0; i < code->bf_len; i++) {
		memcpy(&word, &code->bf_insns[i], sizeof word);
		h = hash_add(h, word);
	}
	return hash_finish(h);
}

_Static_assert(sizeof(struct bpf_insn) == 8, "instructions are words");

/* The program with these instructions, made when there is none. */
static int intern(enum bpf_link link, const struct bpf_program *code, const char *text,
		  uint64_t *handle, struct refusal *r)
{
	uint32_t hash = code_hash(link, code);
	struct filter *p;
	unsigned place;

	for (unsigned i = 0; i < BPF_MAX; i++) {
		p = places[i];
		if (!p || p->hash != hash || !same(p, link, code))
			continue;
		p->turn = turn;
		*handle = p->handle;
		return 0;
	}
	place = find_place();
	if (place == BPF_MAX)
		return refuse(r, LIMIT, "bpf",
			      "%d BPF programs are in use, and there can be no more; one that a "
			      "rule has already would be accepted",
			      BPF_MAX);
	p = calloc(1, sizeof *p + code->bf_len * sizeof p->insn[0]);
	if (!p || (text && !(p->text = strdup(text))))
		abort();
	p->handle = next_serial++ * BPF_MAX + place;
	p->hash = hash;
	p->turn = turn;
	p->link = link;
	p->n = code->bf_len;
	memcpy(p->insn, code->bf_insns, code->bf_len * sizeof p->insn[0]);
	rcu_set(places[place], p);
	n_programs++;
	*handle = p->handle;
	return 0;
}

/* ---- Validity ---------------------------------------------------------------------------- */

/* Those that bpf_filter() knows: any other ends the process there. */
static bool is_known(unsigned code)
{
	switch (code) {
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_MSH | BPF_B:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_JMP | BPF_JA:
	case BPF_ALU | BPF_NEG:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return true;
	}
	switch (BPF_CLASS(code) | BPF_OP(code)) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET:
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_MOD:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
		return !(code >> 8);
	}
	return false;
}

/* What bpf_validate() lets pass and a bounded run does not want. */
static bool is_bounded(const struct bpf_program *code)
{
	for (unsigned i = 0; i < code->bf_len; i++) {
		const struct bpf_insn *in = &code->bf_insns[i];

		if (!is_known(in->code))
			return false;

		if (in->code == (BPF_JMP | BPF_JA) && in->k >= code->bf_len - i - 1)
			return false;
		if ((in->code == (BPF_ALU | BPF_LSH | BPF_K) ||
		     in->code == (BPF_ALU | BPF_RSH | BPF_K)) &&
		    in->k > 31)
			return false;
	}
	return true;
}

static int check_code(const struct bpf_program *code, struct refusal *r)
{
	if (!code->bf_len || code->bf_len > BPF_INSNS)
		return refuse(r, BAD_VALUE, "bpf",
			      "bpf: a program of %u instructions; 1 to %d would be accepted",
			      code->bf_len, BPF_INSNS);
	if (!bpf_validate(code->bf_insns, (int)code->bf_len) || !is_bounded(code))
		return refuse(r, BAD_VALUE, "bpf",
			      "bpf: this is no valid program; known instructions that jump forward "
			      "within it, with a return at its end, would be accepted");
	return 0;
}

static int take_code(enum bpf_link link, const struct bpf_program *code, uint64_t *handle,
		     struct refusal *r)
{
	int error = check_code(code, r);

	return error ? error : intern(link, code, NULL, handle, r);
}

/* ---- Expressions ------------------------------------------------------------------------- */

static int compile(enum bpf_link link, const char *text, uint64_t *handle, struct refusal *r)
{
	pcap_t *pcap = pcap_open_dead(link == BPF_IP ? DLT_RAW : DLT_EN10MB, 65535);
	struct bpf_program code = {0};
	int error;

	if (!pcap)
		abort();
	if (pcap_compile(pcap, &code, text, 1, PCAP_NETMASK_UNKNOWN))
		error = refuse(r, BAD_VALUE, "bpf",
			       "bpf: '%.60s': %.100s; an expression of pcap-filter(7) or bytecode "
			       "would be accepted",
			       text, pcap_geterr(pcap));
	else
		error = check_code(&code, r);
	if (!error)
		error = intern(link, &code, text, handle, r);
	pcap_freecode(&code);
	pcap_close(pcap);
	return error;
}

/* ---- Bytecode as text -------------------------------------------------------------------- */

static bool number(const char **at, unsigned long max, unsigned long *n)
{
	char *end;

	while (**at == ' ')
		(*at)++;
	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	*n = strtoul(*at, &end, 10);
	*at = end;
	return !errno && *n <= max;
}

/* `N,code jt jf k,…`, as xt_bpf and tcpdump -ddd have it.  False: it is something else. */
static bool read_decimal(const char *at, struct bpf_program *code)
{
	unsigned long n, v[4];

	if (!number(&at, BPF_INSNS, &n) || !n || *at != ',')
		return false;
	for (unsigned long i = 0; i < n; i++) {
		if (*at++ != ',' || !number(&at, UINT16_MAX, &v[0]) ||
		    !number(&at, UINT8_MAX, &v[1]) || !number(&at, UINT8_MAX, &v[2]) ||
		    !number(&at, UINT32_MAX, &v[3]))
			return false;
		code->bf_insns[i] = (struct bpf_insn){(u_short)v[0], (u_char)v[1], (u_char)v[2],
						      (bpf_u_int32)v[3]};
	}
	code->bf_len = (u_int)n;
	at += *at == ',';
	return !*at;
}

static void read_octets(const uint8_t *at, unsigned n, struct bpf_program *code)
{
	for (unsigned i = 0; i < n; i++, at += 8)
		code->bf_insns[i] = (struct bpf_insn){get_be16(at), at[2], at[3], get_be32(at + 4)};
	code->bf_len = n;
}

/* 16 hexadecimal digits an instruction.  False: it is something else. */
static bool read_hex(const char *text, struct bpf_program *code)
{
	uint8_t octets[BPF_INSNS * 8];
	size_t size = strlen(text);

	if (!size || size % 16 || size > 2 * sizeof octets)
		return false;
	for (size_t i = 0; i < size; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		octets[i / 2] = (uint8_t)(high << 4 | low);
	}
	read_octets(octets, (unsigned)size / 16, code);
	return true;
}

/* One blank for white space between words, so that a rule stays a line. */
static void copy_expression(char *to, const char *text)
{
	char *begin = to;

	for (; *text; text++) {
		bool blank = isspace((unsigned char)*text);

		if (!blank)
			*to++ = *text;
		else if (to != begin && to[-1] != ' ')
			*to++ = ' ';
	}
	to -= to != begin && to[-1] == ' ';
	*to = '\0';
}

int bpf_parse(enum bpf_link link, const char *text, uint64_t *handle, struct refusal *r)
{
	struct bpf_insn insn[BPF_INSNS];
	struct bpf_program code = {.bf_insns = insn};
	char expression[BPF_TEXT + 1];
	int error;

	if (read_decimal(text, &code) || read_hex(text, &code))
		return take_code(link, &code, handle, r);
	if (strlen(text) > BPF_TEXT)
		return refuse(r, BAD_VALUE, "bpf",
			      "bpf: an expression of %zu octets; up to %d would be accepted",
			      strlen(text), BPF_TEXT);
	copy_expression(expression, text);
	if (!*expression) /* which libpcap takes for: everything */
		return refuse(
			r, SYNTAX, "bpf",
			"bpf: no program; an expression like 'tcp port 80' would be accepted");
	error = bpf_check_words(expression, r);
	return error ? error : compile(link, expression, handle, r);
}

int bpf_decode(enum bpf_link link, struct reader *octets, uint64_t *handle, struct refusal *r)
{
	struct bpf_insn insn[BPF_INSNS];
	struct bpf_program code = {.bf_insns = insn};
	size_t size = reader_left(octets);

	if (!size || size % 8 || size > sizeof insn)
		return refuse(r, MATCH_LEN, "bpf",
			      "bpf: bytecode of %zu octets; 8 for each of 1 to %d instructions "
			      "would be accepted",
			      size, BPF_INSNS);
	read_octets(pull(octets, size), (unsigned)size / 8, &code);
	return take_code(link, &code, handle, r);
}

void bpf_format(uint64_t handle, struct buf *text)
{
	const struct filter *p = filter_get(handle);

	if (!p || p->text) {
		buf_printf(text, "%s", p ? p->text : "gone");
		return;
	}
	buf_printf(text, "%u", p->n);
	for (unsigned i = 0; i < p->n; i++)
		buf_printf(text, ",%u %u %u %u", p->insn[i].code, p->insn[i].jt, p->insn[i].jf,
			   p->insn[i].k);
}

void bpf_encode(uint64_t handle, struct buf *code)
{
	const struct filter *p = filter_get(handle);

	for (unsigned i = 0; p && i < p->n; i++) {
		buf_u16(code, p->insn[i].code);
		buf_u8(code, p->insn[i].jt);
		buf_u8(code, p->insn[i].jf);
		buf_u32(code, p->insn[i].k);
	}
}
