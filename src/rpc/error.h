/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors on the wire: {code, name, message, retryable, what, at} from schema/errors.def, and the HTTP status for each. */
#ifndef RPC_ERROR_H
#define RPC_ERROR_H

#include "base/err.h"

#include <jansson.h>

/* New; NULL if there is no memory. `what` and `at` say where the input was refused. */
json_t *rpc_error_json(const fault *f);

/* The row whose number is `code`, or ERR_INTERNAL. */
err rpc_error_of_number(int64_t code);

#endif
