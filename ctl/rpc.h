/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of JSON-RPC 2.0, apart from sockets and verbs: whether a line holds too much to be made
 * into objects, whether an object is a request, and what answers and errors look like. */
#ifndef SLUICE_CTL_RPC_H
#define SLUICE_CTL_RPC_H

#include <jansson.h>

#include "lib/refuse.h"

/* Error codes of JSON-RPC 2.0, section 5.1; a refusal is ours. */
enum {
	RPC_PARSE = -32700,
	RPC_INVALID = -32600,
	RPC_NO_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_REFUSED = -32000,
};

/* NULL, or why the object is no request; `r` has the words.  What it does not know is not passed
 * over: without its words a verb may mean all there is. */
const char *rpc_request_fault(json_t *root, struct refusal *r);
/* How many values a line holds, at most one too many per array or object: before anything is made
 * of it. */
size_t rpc_values(const char *text, size_t size);

json_t *rpc_error(int code, const char *message, const struct refusal *r); /* r NULL: no data */
/* `part`, which is taken, is the member `key`: result or error. */
json_t *rpc_answer(json_t *id, const char *key, json_t *part);

#endif
