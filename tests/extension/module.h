/* What the test modules export. They include extension.h and nothing else of the library.
 * SPDX-License-Identifier: BSL-1.0 */
#ifndef TESTS_EXTENSION_MODULE_H
#define TESTS_EXTENSION_MODULE_H

struct module {
    int (*has_runtime)(void);  /* as this object sees it */
    const void *(*slot)(void); /* the address of the meeting point, as this object sees it */
    void (*pair)(void);        /* one section */
    int (*all)(void);          /* every call once, in a legal order; the first failure or 0 */
    const char *(*file)(void);
};

/* Exported: the module's two objects. */
typedef const struct module *(*module_entry)(void);

#endif
