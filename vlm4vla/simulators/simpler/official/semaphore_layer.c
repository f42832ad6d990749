/* A Vulkan layer with which SAPIEN 2 draws on a CPU.
 *
 * SAPIEN 2 asks every device for VK_KHR_external_semaphore_fd, with which it would hand pictures to
 * CUDA. Mesa's CPU driver has no such extension, and nothing here needs it. The manifest of this
 * layer declares it, so that the loader lets the request pass, and the layer takes out of the
 * request whatever the driver below does not have.
 *
 * The few types of Vulkan's ABI that are needed are declared here, in the order that its
 * specification gives them: no headers have to be installed. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int32_t Result;
typedef void *Handle;
typedef void (*Function)(void);
typedef Function (*Lookup)(Handle, const char *);

enum { SUCCESS = 0, OUT_OF_HOST_MEMORY = -1, INITIALIZATION_FAILED = -3 };
enum { LOADER_INSTANCE = 47, LOADER_DEVICE = 48, LINK_INFO = 0 };

typedef struct {
    char name[256];
    uint32_t version;
} Extension;

typedef struct {
    uint32_t type;
    const void *next;
    uint32_t flags, queue_count;
    const void *queues;
    uint32_t layer_count;
    const char *const *layers;
    uint32_t extension_count;
    const char *const *extensions;
    const void *features;
} DeviceRequest;

typedef struct Link {
    struct Link *next;
    Lookup instance_lookup;
    Lookup device_lookup; /* of a device's link; an instance's has another function here */
} Link;

typedef struct {
    uint32_t type;
    const void *next;
    uint32_t function;
    Link *link;
} LoaderInfo;

typedef struct {
    uint32_t type;
    void *next;
    uint32_t version;
    Lookup instance_lookup, device_lookup, physical_device_lookup;
} Negotiation;

typedef Result (*CreateInstance)(const void *, const void *, Handle *);
typedef Result (*CreateDevice)(Handle, const DeviceRequest *, const void *, Handle *);
typedef Result (*ListExtensions)(Handle, const char *, uint32_t *, Extension *);

/* A process that renders has one instance and one device. */
static Handle instance;
static Lookup below_instance, below_device;

/* The next layer, or the driver; the loader wants its own pointer moved on before it is called. */
static Link *take_link(const void *chain, uint32_t type) {
    LoaderInfo *info = (LoaderInfo *)chain;
    while (info && !(info->type == type && info->function == LINK_INFO))
        info = (LoaderInfo *)info->next;
    if (!info) return NULL;
    Link *link = info->link;
    info->link = link->next;
    return link;
}

static Result create_instance(const void *request, const void *allocator, Handle *made) {
    Link *link = take_link(((const DeviceRequest *)request)->next, LOADER_INSTANCE);
    if (!link) return INITIALIZATION_FAILED;
    below_instance = link->instance_lookup;
    CreateInstance next = (CreateInstance)below_instance(NULL, "vkCreateInstance");
    if (!next) return INITIALIZATION_FAILED;
    Result result = next(request, allocator, made);
    if (result == SUCCESS) instance = *made;
    return result;
}

static int has(const Extension *known, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(known[i].name, name)) return 1;
    return 0;
}

static Result create_device(Handle physical, const DeviceRequest *request, const void *allocator,
                            Handle *made) {
    Link *link = take_link(request->next, LOADER_DEVICE);
    if (!link) return INITIALIZATION_FAILED;
    below_device = link->device_lookup;
    CreateDevice next = (CreateDevice)link->instance_lookup(instance, "vkCreateDevice");
    ListExtensions list = (ListExtensions)link->instance_lookup(
        instance, "vkEnumerateDeviceExtensionProperties");
    uint32_t count = 0, kept = 0;
    if (!next || !list || list(physical, NULL, &count, NULL) != SUCCESS)
        return INITIALIZATION_FAILED;
    Extension *known = calloc(count + 1, sizeof *known);
    const char **names = calloc(request->extension_count + 1, sizeof *names);
    Result result = OUT_OF_HOST_MEMORY;
    if (known && names && (result = list(physical, NULL, &count, known)) == SUCCESS) {
        for (uint32_t i = 0; i < request->extension_count; i++)
            if (has(known, count, request->extensions[i])) names[kept++] = request->extensions[i];
        DeviceRequest changed = *request;
        changed.extension_count = kept;
        changed.extensions = names;
        result = next(physical, &changed, allocator, made);
    }
    free(known);
    free(names);
    return result;
}

static Function device_function(Handle device, const char *name) {
    if (!strcmp(name, "vkGetDeviceProcAddr")) return (Function)device_function;
    return below_device ? below_device(device, name) : NULL;
}

static Function instance_function(Handle of, const char *name) {
    if (!strcmp(name, "vkGetInstanceProcAddr")) return (Function)instance_function;
    if (!strcmp(name, "vkGetDeviceProcAddr")) return (Function)device_function;
    if (!strcmp(name, "vkCreateInstance")) return (Function)create_instance;
    if (!strcmp(name, "vkCreateDevice")) return (Function)create_device;
    return below_instance ? below_instance(of, name) : NULL;
}

/* What the loader calls first. */
Result vkNegotiateLoaderLayerInterfaceVersion(Negotiation *asked) {
    asked->version = 2;
    asked->instance_lookup = instance_function;
    asked->device_lookup = device_function;
    asked->physical_device_lookup = NULL;
    return SUCCESS;
}
