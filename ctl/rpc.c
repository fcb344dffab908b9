/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rpc.h"

#include <string.h>

#include "ctl/verb.h"

static json_t *refusal_data(const struct refusal *r)
{
	json_t *data = json_object();

	json_put(data, "code", json_string(refusal_name(r->code)));
	json_put(data, "field", json_text(r->field));
	json_put(data, "reason", json_text(r->text));
	return data;
}

json_t *rpc_error(int code, const char *message, const struct refusal *r)
{
	json_t *error = json_object();

	json_put(error, "code", json_integer(code));
	json_put(error, "message", json_text(message));
	if (r)
		json_put(error, "data", refusal_data(r));
	return error;
}

json_t *rpc_answer(json_t *id, const char *key, json_t *part)
{
	json_t *answer = json_object();

	json_put(answer, "jsonrpc", json_string("2.0"));
	json_put(answer, "id", id ? json_incref(id) : json_null());
	json_put(answer, key, part);
	return answer;
}

/* The first member that is none of the names; NULL: each is one. */
static const char *stranger(json_t *object, const char *const *names)
{
	const char *key;
	json_t *value;
	unsigned i;

	json_object_foreach(object, key, value)
	{
		for (i = 0; names[i] && strcmp(key, names[i]); i++)
			;
		if (!names[i])
			return key;
	}
	return NULL;
}

static const char *members_fault(json_t *root, json_t *params, struct refusal *r)
{
	static const char *const in_request[] = {"jsonrpc", "id", "method", "params", NULL};
	static const char *const in_params[] = {"words", "want", NULL};
	const char *what = "a request", *key = stranger(root, in_request);

	if (!key) {
		what = "params";
		key = stranger(params, in_params);
	}
	if (!key)
		return NULL;
	refuse(r, SYNTAX, "", "%s has no member `%.60s'", what, key);
	return r->text;
}

const char *rpc_request_fault(json_t *root, struct refusal *r)
{
	json_t *id = json_object_get(root, "id"), *params = json_object_get(root, "params"), *word;
	const char *version = json_string_value(json_object_get(root, "jsonrpc")), *fault;
	size_t i;

	if (!json_is_object(root))
		return "a request is an object";
	if (!version || strcmp(version, "2.0"))
		return "jsonrpc is not \"2.0\"";
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "id is neither a string nor a number";
	if (!json_is_string(json_object_get(root, "method")))
		return "method is no string";
	fault = members_fault(root, params, r);
	if (fault)
		return fault;
	if (json_is_object(params))
		params = json_object_get(params, "words");
	if (params && !json_is_array(params))
		return "params is no array, and has no array of words";
	json_array_foreach(params, i, word)
	{
		if (!json_is_string(word))
			return "params holds something that is no string";
	}
	return NULL;
}

size_t rpc_values(const char *text, size_t size)
{
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted)
			i += text[i] == '\\';
		else
			n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	}
	return n;
}
