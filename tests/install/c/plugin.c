/* An extension: it links nothing of multicore. SPDX-License-Identifier: BSL-1.0 */
#include <multicore/extension.h>

void plugin_section(void);
void plugin_section(void) {
    mc_release();
    mc_acquire();
}
