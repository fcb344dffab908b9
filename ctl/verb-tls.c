/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for the key and the certificates of ssl: and pssl:.  Which files they are is remembered in
 * the store; what is in them stays where it is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/rows.h"
#include "ctl/tls.h"
#include "ctl/verb.h"
#include "lib/options.h"

enum { FILES = 4 };

static const char *const names[FILES] = {"private-key", "certificate", "ca-cert", "crl"};

static struct tls *tls_of(const struct verb_call *call, struct refusal *r)
{
	if (!call->daemon->openflow)
		refuse(r, NOT_HERE, "", "there are no controllers without sockets");
	return call->daemon->openflow ? openflow_tls(call->daemon->openflow) : NULL;
}

static struct tls_files files_from(const char *const file[FILES])
{
	return (struct tls_files){file[0], file[1], file[2], file[3]};
}

static const char *const *files_in(const struct tls_files *f, const char *file[FILES])
{
	memcpy(file, (const char *[]){f->key, f->certificate, f->ca, f->crl}, FILES * sizeof *file);
	return file;
}

/* ---- set-tls ---------------------------------------------------------------------------- */

/* As the store keeps them: [NAME=FILE, …]. */
static json_t *files_words(const struct tls_files *files)
{
	const char *file[FILES];
	json_t *list = json_array();

	files_in(files, file);
	for (unsigned i = 0; i < FILES; i++) {
		struct buf word = {0};

		if (!file[i])
			continue;
		buf_printf(&word, "%s=%s", names[i], file[i]);
		json_array_append_new(list, json_text(buf_text(&word)));
		buf_free(&word);
	}
	return list;
}

/* Says what takes the call back, and returns what there was. */
static json_t *undo_set(struct verb_call *call, struct tls *t)
{
	json_t *words = json_array(), *before = NULL;
	struct tls_status was;

	tls_status(t, &was);
	json_array_append_new(words, json_string("set-tls"));
	if (was.files.key) {
		before = files_words(&was.files);
		json_array_extend(words, before);
	} else {
		json_array_append_new(words, json_string("off"));
	}
	verb_undo_words(call, words);
	return before;
}

/* Those before are back if the store refuses. */
struct tls_waiter {
	struct waiter waiter;
	struct verb_call *call;
	json_t *before; /* files_words(); NULL: none */
};

static void use_words(struct openflow *of, const json_t *list)
{
	const char *file[FILES] = {0};
	struct tls_files files;
	const json_t *word;
	size_t i;

	json_array_foreach(list, i, word)
	{
		const char *w = json_string_value(word), *equals = w ? strchr(w, '=') : NULL;

		for (unsigned k = 0; equals && k < FILES; k++)
			if (!strncmp(w, names[k], (size_t)(equals - w)) && !names[k][equals - w])
				file[k] = equals + 1;
	}
	files = files_from(file);
	if (files.key && files.certificate && files.ca)
		tls_expect(openflow_tls(of), &files);
	else
		tls_forget(openflow_tls(of));
}

static void kept(struct waiter *w, int error, const struct refusal *r)
{
	struct tls_waiter *tw = container_of(w, struct tls_waiter, waiter);
	struct verb_call *call = tw->call;

	if (error)
		use_words(call->daemon->openflow, tw->before);
	json_decref(tw->before);
	free(tw);
	if (error)
		verb_refuse(call, r);
	else
		verb_done(call, NULL, NULL);
}

static void keep(struct verb_call *call, const struct tls_files *files, json_t *before)
{
	struct tls_waiter *tw = calloc(1, sizeof *tw);
	json_t *list = files ? files_words(files) : NULL;
	char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;

	if (!tw)
		abort();
	tw->waiter.done = kept;
	tw->call = call;
	tw->before = before;
	ofproto_keep(call->daemon->ofproto, "tls", "files", text, &tw->waiter);
	free(text);
	json_decref(list);
}

static int set_off(struct verb_call *call, struct tls *t, struct refusal *r)
{
	json_t *before;

	if (openflow_uses_tls(call->daemon->openflow))
		return refuse(r, IN_USE, "",
			      "ssl: and pssl: of list-controllers use it; del-controller first");
	before = undo_set(call, t);
	tls_forget(t);
	keep(call, NULL, before);
	return 0;
}

static int read_files(struct options *opt, const char *file[FILES], struct refusal *r)
{
	for (unsigned i = 0; i < FILES; i++) {
		file[i] = option(opt, names[i]);
		if (i < 3 && (!file[i] || !*file[i]))
			return refuse(r, SYNTAX, names[i],
				      "%s=FILE is missing; a key, a certificate and the CA of "
				      "those who may connect are needed",
				      names[i]);
		if (file[i] && *file[i] != '/')
			return refuse(r, BAD_VALUE, names[i],
				      "%s=%.80s; a path from / on would be accepted", names[i],
				      file[i]);
	}
	return options_finish(opt, r);
}

static int set_files(struct verb_call *call, struct tls *t, struct refusal *r)
{
	const char *file[FILES];
	json_t *before = NULL;
	struct tls_files files;
	struct options opt;
	int error = options_parse(&opt, call->args.n, call->args.word, r);

	if (error)
		return error;
	error = read_files(&opt, file, r);
	if (!error) {
		before = undo_set(call, t); /* its names go with what was set */
		files = files_from(file);
		error = tls_set(t, &files, r);
	}
	if (error) {
		json_decref(before);
	} else {
		openflow_tls_changed(call->daemon->openflow);
		keep(call, &files, before);
	}
	options_free(&opt);
	return error;
}

void do_set_tls(struct verb_call *call)
{
	struct refusal r = {0};
	struct tls *t = tls_of(call, &r);
	bool off = call->args.n == 1 && !strcmp(call->args.word[0], "off");

	if (!t || (off ? set_off(call, t, &r) : set_files(call, t, &r)))
		verb_refuse(call, &r);
}

/* From the store, before the controllers that need it. */
struct restore {
	struct kept_visit visit;
	struct daemon *daemon;
};

static void restore_one(struct kept_visit *v, const char *name, const char *text)
{
	struct daemon *d = container_of(v, struct restore, visit)->daemon;
	json_t *list = json_loads(text, 0, NULL);

	(void)name;
	use_words(d->openflow, list);
	json_decref(list);
}

int tls_restore(struct daemon *d, struct refusal *r)
{
	struct restore restore = {{restore_one}, d};

	return ofproto_kept(d->ofproto, "tls", &restore.visit, r);
}

/* ---- reload-tls, show-tls --------------------------------------------------------------- */

void do_reload_tls(struct verb_call *call)
{
	struct refusal r = {0};
	struct tls *t = tls_of(call, &r);

	if (!t || tls_reload(t, &r)) {
		verb_refuse(call, &r);
		return;
	}
	openflow_tls_changed(call->daemon->openflow);
	verb_done(call, NULL, NULL);
}

static void put_date(json_t *row, const char *key, time_t at, struct buf *text)
{
	char date[32];
	struct tm tm;

	strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &tm));
	json_put(row, key, json_integer(at));
	buf_printf(text, "%s", date);
}

static void show_loaded(const struct tls_status *s, json_t *row, struct buf *text)
{
	json_put(row, "subject", json_text(s->subject));
	json_put(row, "issuer", json_text(s->issuer));
	buf_printf(text, "%s, by %s, until ", s->subject, s->issuer);
	put_date(row, "expires", s->expires, text);
	buf_printf(text, "\nread at ");
	put_date(row, "loaded_at", s->loaded_at, text);
	if (s->files.crl) {
		json_put_u64(row, "revoked", s->n_revoked);
		buf_printf(text, "\n%u revoked", s->n_revoked);
		if (s->crl_expires) {
			buf_printf(text, ", by a list that is good until ");
			put_date(row, "crl_expires", s->crl_expires, text);
		}
	}
	buf_printf(text, "\n");
}

void do_show_tls(struct verb_call *call)
{
	struct refusal r = {0};
	struct tls *t = tls_of(call, &r);
	json_t *row = json_object();
	struct buf text = {0};
	const char *file[FILES];
	struct tls_status s;

	if (!t) {
		json_decref(row);
		verb_refuse(call, &r);
		return;
	}
	tls_status(t, &s);
	files_in(&s.files, file);
	for (unsigned i = 0; i < FILES; i++) {
		if (!file[i])
			continue;
		json_put(row, names[i], json_text(file[i]));
		buf_printf(&text, "%s=%s\n", names[i], file[i]);
	}
	if (!s.files.key)
		buf_printf(&text, "no key and no certificate; set-tls says which\n");
	json_put(row, "loaded", json_boolean(s.loaded));
	if (s.loaded)
		show_loaded(&s, row, &text);
	if (s.problem) {
		json_put(row, "problem", json_text(s.problem));
		buf_printf(&text, "%s\n", s.problem);
	}
	verb_done(call, &text, row);
}

/* ---- What sluice-ctl does itself --------------------------------------------------------- */

static void refuse_local(struct verb_call *call)
{
	struct refusal r;

	refuse(&r, NOT_HERE, "", "%s is done by sluice-ctl, where the files shall be",
	       call->verb->name);
	verb_refuse(call, &r);
}

void do_make_certificates(struct verb_call *call)
{
	refuse_local(call);
}

void do_add_certificate(struct verb_call *call)
{
	refuse_local(call);
}

void do_revoke_certificate(struct verb_call *call)
{
	refuse_local(call);
}
