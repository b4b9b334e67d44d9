/* What a runtime is told of a module: the version of its header, its flags and the place. The table is the
 * test's own.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/extension.h>

#include <string.h>

static uint32_t told_version, told_flags;
static const char *told_file;
static int calls;

static void note(struct mc_site *site, uint32_t version, uint32_t flags) {
    told_version = version;
    told_flags = flags;
    told_file = site->file;
    ++calls;
}

int main(void) {
    struct mc_api_1 table;
    memset(&table, 0, sizeof table);
    table.size = sizeof table;
    table.abi = 1;
    table.support = note;
    mc_support(MC_SUPPORT_MIGRATABLE); /* no runtime: nothing happens */
    mc_ext_slot_1 = &table;
    mc_support(MC_SUPPORT_MIGRATABLE);
    mc_ext_slot_1 = NULL;
    return !(calls == 1 && told_version == MC_EXTENSION_VERSION && told_flags == MC_SUPPORT_MIGRATABLE &&
             strcmp(told_file, __FILE__) == 0);
}
