/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/cli.h"

int main(int argc, char **argv)
{
    return tb_main(argc, argv);
}
