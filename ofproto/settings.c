/* SPDX-License-Identifier: Apache-2.0 */
/* set-switch: the datapath id, fail-mode, how long controllers may be silent or missing, how much
 * of a packet they see, how many packets are sampled, how many rejected ones are answered, who may
 * drop nearly everything, and how many rules an origin has in the guard. */
#include <stdio.h>
#include <sys/random.h>

#include "ofproto/memory.h"
#include "ofproto/state.h"

/* Repeated runs offline look alike. */
#define DPID_OFFLINE 1

enum { PROBE_S = 30, FAIL_AFTER_S = 15, PATIENCE_MAX_S = 3600 };

struct setting_step {
	struct step step;
	struct switch_settings before;
};

static void take_effect(struct ofproto *o)
{
	__atomic_store_n(&o->dp.packet_in_headers, o->settings.packet_in_headers, __ATOMIC_RELAXED);
	__atomic_store_n(&o->dp.sample_every, o->settings.sample_every, __ATOMIC_RELAXED);
	__atomic_store_n(&o->dp.sample_max, o->settings.sample_max, __ATOMIC_RELAXED);
	__atomic_store_n(&o->dp.reject_max, o->settings.reject_max, __ATOMIC_RELAXED);
}

static void settings_done(struct ofproto *o, struct step *s)
{
	take_effect(o);
	free(container_of(s, struct setting_step, step));
}

static void settings_undo(struct ofproto *o, struct step *s)
{
	struct setting_step *ss = container_of(s, struct setting_step, step);

	o->settings = ss->before;
	free(ss);
}

static const struct step_class settings_class = {NULL, settings_done, settings_undo};

static int read_dpid(struct options *opt, uint64_t *dpid, struct refusal *r)
{
	const char *text = option(opt, "dpid");
	char *end;

	if (!text)
		return 0;
	*dpid = strtoull(text, &end, 16);
	if (!*text || *end || end - text > 18 || !*dpid)
		return refuse(r, BAD_VALUE, "dpid",
			      "dpid=%s; up to 16 hexadecimal digits, not zero", text);
	return 0;
}

static int read_sampling(struct options *opt, struct switch_settings *s, struct refusal *r)
{
	const char *text = option(opt, "sample");
	uint64_t every = s->sample_every, max = s->sample_max;

	if (text && !strcmp(text, "off"))
		every = 0;
	else if (text && (parse_u64(text, &every) || !every || every > SAMPLE_EVERY_MAX))
		return refuse(r, BAD_VALUE, "sample",
			      "sample=%.32s; one packet in N, of 1 to %d, or off", text,
			      SAMPLE_EVERY_MAX);
	if (option_u64(opt, "sample-max", (struct range){1, SAMPLE_MAX_MAX}, &max, r))
		return -EINVAL;
	s->sample_every = (uint32_t)every;
	s->sample_max = (uint32_t)max;
	return 0;
}

static int read_reject(struct options *opt, struct switch_settings *s, struct refusal *r)
{
	uint64_t max = s->reject_max;

	if (option_u64(opt, "reject-max", (struct range){0, REJECT_MAX_MAX}, &max, r))
		return -EINVAL;
	s->reject_max = (uint32_t)max;
	return 0;
}

static int read_guard(struct options *opt, struct switch_settings *s, struct refusal *r)
{
	uint64_t max = s->guard_max;

	if (option_u64(opt, "guard-max", (struct range){1, GUARD_RULES_MAX}, &max, r))
		return -EINVAL;
	s->guard_max = (uint32_t)max;
	return 0;
}

const char *const wide_drop_names[] = {"never", "asked", "any", NULL};

static int read_patience(struct options *opt, struct switch_settings *s, struct refusal *r)
{
	uint64_t probe = s->probe_s, fail_after = s->fail_after_s;

	if (option_u64(opt, "probe", (struct range){1, PATIENCE_MAX_S}, &probe, r) ||
	    option_u64(opt, "fail-after", (struct range){0, PATIENCE_MAX_S}, &fail_after, r))
		return -EINVAL;
	s->probe_s = (uint32_t)probe;
	s->fail_after_s = (uint32_t)fail_after;
	return 0;
}

static int read_settings(struct switch_settings *s, struct words words, struct refusal *r)
{
	static const char *const modes[] = {"standalone", "secure", NULL};
	static const char *const packet_ins[] = {"full", "headers", NULL};
	unsigned mode = s->fail_secure, headers = s->packet_in_headers, wide = s->wide_drop;
	struct options opt;
	int error = options_parse(&opt, words.n, words.word, r);

	if (error)
		return error;
	error = read_dpid(&opt, &s->dpid, r);
	if (!error)
		error = option_word(&opt, "fail-mode", modes, &mode, r);
	if (!error)
		error = option_word(&opt, "packet-in", packet_ins, &headers, r);
	if (!error)
		error = read_sampling(&opt, s, r);
	if (!error)
		error = read_reject(&opt, s, r);
	if (!error)
		error = option_word(&opt, "wide-drop", wide_drop_names, &wide, r);
	if (!error)
		error = read_guard(&opt, s, r);
	if (!error)
		error = read_patience(&opt, s, r);
	if (!error)
		error = options_finish(&opt, r);
	options_free(&opt);
	s->fail_secure = mode;
	s->packet_in_headers = headers;
	s->wide_drop = wide;
	return error;
}

static void remember(struct ofproto *o)
{
	char text[64];

	snprintf(text, sizeof text, "%016llx", (unsigned long long)o->settings.dpid);
	change_store(o, store_op_object("setting", "dpid", text));
	change_store(o, store_op_object("setting", "fail-mode",
					o->settings.fail_secure ? "secure" : "standalone"));
	change_store(o, store_op_object("setting", "packet-in",
					o->settings.packet_in_headers ? "headers" : "full"));
	snprintf(text, sizeof text, o->settings.sample_every ? "%u" : "off",
		 o->settings.sample_every);
	change_store(o, store_op_object("setting", "sample", text));
	snprintf(text, sizeof text, "%u", o->settings.sample_max);
	change_store(o, store_op_object("setting", "sample-max", text));
	snprintf(text, sizeof text, "%u", o->settings.reject_max);
	change_store(o, store_op_object("setting", "reject-max", text));
	change_store(
		o, store_op_object("setting", "wide-drop", wide_drop_names[o->settings.wide_drop]));
	snprintf(text, sizeof text, "%u", o->settings.guard_max);
	change_store(o, store_op_object("setting", "guard-max", text));
	snprintf(text, sizeof text, "%u", o->settings.probe_s);
	change_store(o, store_op_object("setting", "probe", text));
	snprintf(text, sizeof text, "%u", o->settings.fail_after_s);
	change_store(o, store_op_object("setting", "fail-after", text));
}

static int change_settings(struct ofproto *o, const struct switch_settings *fresh, struct waiter *w)
{
	struct setting_step *ss = mem_new(sizeof *ss);

	ss->step.class = &settings_class;
	ss->before = o->settings;
	o->settings = *fresh;
	change_step(o, &ss->step);
	remember(o);
	change_staged(o, w);
	return 0;
}

int ofproto_set_switch(struct ofproto *o, struct words words, struct waiter *w, struct refusal *r)
{
	struct switch_settings fresh = o->settings;
	int error = read_settings(&fresh, words, r);

	return error ? error : change_settings(o, &fresh, w);
}

const struct switch_settings *ofproto_settings(const struct ofproto *o)
{
	return &o->settings;
}

struct restore {
	struct store_visit visit;
	struct switch_settings *settings;
};

static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct restore *restore = container_of(v, struct restore, visit);
	char word[128];
	const char *one = word;

	if (!strcmp(name, "begun")) /* ofproto.c's */
		return 0;
	snprintf(word, sizeof word, "%s=%s", name, text);
	return read_settings(restore->settings, (struct words){1, &one}, r);
}

int settings_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {.visit.object = restore_one, .settings = &o->settings};
	int error = o->store ? store_load_objects(o->store, "setting", &restore.visit, r) : 0;

	take_effect(o);
	return error;
}

/* Offline nobody is there to look at samples, unless one asks for them. */
void settings_defaults(struct ofproto *o)
{
	o->settings.sample_every = o->offline ? 0 : SAMPLE_EVERY;
	o->settings.sample_max = SAMPLE_MAX_PER_S;
	o->settings.reject_max = REJECT_MAX_PER_S;
	o->settings.wide_drop = WIDE_DROP_ASKED;
	o->settings.guard_max = GUARD_RULES;
	o->settings.probe_s = PROBE_S;
	o->settings.fail_after_s = FAIL_AFTER_S;
}

void settings_init(struct ofproto *o)
{
	struct switch_settings fresh = o->settings;

	take_effect(o);
	if (o->offline)
		fresh.dpid = DPID_OFFLINE;
	while (!fresh.dpid) {
		if (getrandom(&fresh.dpid, sizeof fresh.dpid, 0) != sizeof fresh.dpid)
			fresh.dpid = wall_now(o);
		fresh.dpid &= 0xffffffffffff; /* fits a MAC address, as other switches' do */
	}
	if (fresh.dpid != o->settings.dpid)
		change_settings(o, &fresh, NULL);
}
