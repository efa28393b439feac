/* The hot path of reader.py in C: the same loop, the same answers (tests/parse/test_scan_c.py), several times as fast.
 *
 * It cuts a block into lines, a line into stamp, head (host, program, process) and message, looks the head
 * and the message up in what was seen before, and asks reader.py about the rest. Which messages of a program can say something is
 * told by literals, as in Python. Of the formats it knows only the six lines that a mail server under attack writes most (Postfix: AUTH
 * failed, end of a session, connection lost after AUTH, refused a command; Dovecot: auth's reason, login failed); of these it reads the
 * plain form, exactly as the patterns in postfix.py and dovecot.py do, and leaves every other to them. No other declaration fits
 * what these six fit, so they need not be tried in order. Bounded: it reads between `start` and `end` of the block only, and each of its
 * tables has a size. Without it, or without a compiler to build it, reader.py does all this itself.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define HEADS 2048      /* names remembered; a power of two, in groups of PROBES */
#define PROBES 8
#define FAMILIES 16      /* tuples of literals, one a family */
#define LONGEST 65536    /* a longer line is not read, as in line.py */
#define LONGEST_HEAD 96 /* a longer one is asked about each time */
#define KNOWN 2048       /* texts that are looked up without making an object of them; a power of two */
#define LONGEST_KNOWN 512 /* program.py remembers no longer ones */
#define ADDRESSES 4096   /* addresses that are looked up without making an object of them; a power of two */
#define SAID 64          /* reasons of Postfix, the same; a server has few */
#define WORDS 16         /* mechanisms, the same */
#define SPARES 512       /* Events and Facts that are kept for the next block: about those of one */
#define USERS 1024       /* names that were tried, the same */
#define PROCESSES 256    /* heads as objects, the same: the lines of one process mostly stand close together */

/* Literals, and how far a look at two bytes of a text lets it go on: where none of the literals, cut to the length of the shortest, can
 * end here, it takes several bytes at a step (Wu and Manber, 1994). */
typedef struct {
    PyObject *literals; /* a tuple of bytes, each of two or more; owned by the heads that have it, compared by identity */
    Py_ssize_t shortest;
    unsigned char skip[4096];
} Needles;

typedef struct {
    PyObject *program; /* Program; None: says nothing of clients; False: not known; NULL: free */
    PyObject *facts;   /* program.facts */
    PyObject *service; /* program.service */
    PyObject *quiet;   /* beginnings of messages that say nothing, a tuple of bytes */
    Needles *needles;  /* what a message must hold to say something */
    int cut;           /* Dovecot: a session id ends the message */
    int id;            /* Postfix: a queue id may begin it */
    unsigned char length;
    char head[LONGEST_HEAD];
} Head;

/* In front of the dicts that Python keeps: what was found there last, by the text itself. What a text stands for never changes. */
typedef struct {
    uint64_t hash;
    PyObject *facts, *text, *fact; /* of which program; NULL: free */
} Known;

typedef struct {
    PyObject *packed; /* NULL: free */
    unsigned char length;
    char text[23]; /* a longer one is looked up in the dict */
} Address;

typedef struct {
    unsigned char used, split, kind, weight; /* bytes of the text and one more, 0: free; `split`: how many are code and status, 0 of a reason of SASL */
    char text[156];
} Said;

typedef struct {
    PyObject_HEAD
    PyObject *on_head, *on_message, *on_odd, *on_doubt, *minutes, *iso_minutes, *zones, *on_stamp;
    double minute; /* the last one looked up, and its text */
    char minute_text[16];
    int minute_length, zone_known; /* the same of the zone */
    double zone;
    char zone_text[6];
    int kind_disconnect, kind_relay;
    PyObject *addresses, *reasons, *refusals, *doors, *event, *fact; /* what postfix.py and dovecot.py have */
    PyObject *sasl, *summary, *lost, *refused, *detail, *failed;     /* of each format a Fact as a model */
    Py_ssize_t understood, lines;
    Head *heads;
    Known *known;
    Address *packed;
    Said *said;
    PyObject *words[WORDS], *users[USERS], *processes[PROCESSES];
    Needles *needles; /* the first of suspects; used counts */
    int families;
} Scanner;

static void forget(Head *h) {
    Py_CLEAR(h->program); Py_CLEAR(h->facts); Py_CLEAR(h->service); Py_CLEAR(h->quiet);
}

static unsigned pair_of(const unsigned char *p) { return (unsigned)p[0] << 4 ^ p[1]; } /* below 4096; two pairs may share a number */

static void thread(Needles *n, PyObject *literals) {
    Py_ssize_t count = PyTuple_GET_SIZE(literals), shortest = 200;
    n->literals = literals;
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyBytes_GET_SIZE(PyTuple_GET_ITEM(literals, i)) < shortest) shortest = PyBytes_GET_SIZE(PyTuple_GET_ITEM(literals, i));
    n->shortest = shortest;
    memset(n->skip, (int)shortest - 1, sizeof n->skip);
    for (Py_ssize_t i = 0; i < count; i++) {
        const unsigned char *l = (const unsigned char *)PyBytes_AS_STRING(PyTuple_GET_ITEM(literals, i));
        for (Py_ssize_t j = 0; j + 2 <= shortest; j++) {
            unsigned char *skip = &n->skip[pair_of(l + j)];
            if (*skip > shortest - 2 - j) *skip = (unsigned char)(shortest - 2 - j);
        }
    }
}

/* Which of the literals, the first in their order, is in the text; -1 for none. */
static Py_ssize_t which(const Needles *n, const char *text, Py_ssize_t length) {
    Py_ssize_t found = PyTuple_GET_SIZE(n->literals);
    if (!found || length < n->shortest) return -1;
    const unsigned char *p = (const unsigned char *)text + n->shortest - 2, *end = (const unsigned char *)text + length;
    while (p + 1 < end) {
        unsigned skip = n->skip[pair_of(p)];
        if (skip) {
            p += skip;
            continue;
        }
        const unsigned char *begin = p - (n->shortest - 2);
        for (Py_ssize_t i = 0; i < found; i++) {
            PyObject *l = PyTuple_GET_ITEM(n->literals, i);
            Py_ssize_t size = PyBytes_GET_SIZE(l);
            const char *literal = PyBytes_AS_STRING(l);
            if ((char)*begin == *literal && end - begin >= size && !memcmp(begin, literal, (size_t)size)) {
                found = i;
                if (!i) return 0;
                break;
            }
        }
        p++;
    }
    return found < PyTuple_GET_SIZE(n->literals) ? found : -1;
}

/* A number for a text, eight bytes at a time, the last ones twice. Whoever can guess it makes two texts share a place, no more. */
static uint64_t hash_of(const char *text, Py_ssize_t size) {
    uint64_t hash = (uint64_t)size, word = 0;
    for (Py_ssize_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, text + i, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    if (size >= 8) memcpy(&word, text + size - 8, 8);
    else {
        word = 0;
        for (Py_ssize_t i = 0; i < size; i++) word = word << 8 | (unsigned char)text[i];
    }
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static int begins(const char *text, Py_ssize_t length, PyObject *beginnings) {
    Py_ssize_t n = PyTuple_GET_SIZE(beginnings);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *b = PyTuple_GET_ITEM(beginnings, i);
        Py_ssize_t size = PyBytes_GET_SIZE(b);
        const char *beginning = PyBytes_AS_STRING(b);
        if (size <= length && *text == *beginning && !memcmp(text, beginning, (size_t)size)) return 1;
    }
    return 0;
}

static const char *last_in(const char *from, const char *end, const char *what, size_t size) {
    for (const char *p = end - size; p >= from; p--) {
        p = memrchr(from, what[0], (size_t)(p - from) + 1);
        if (!p) return NULL;
        if (!memcmp(p, what, size)) return p;
    }
    return NULL;
}

/* The needles of a tuple of literals; the tuple is kept, so that it can be told by its address. NULL with an exception set. */
static Needles *needles_of(Scanner *self, PyObject *literals) {
    for (int i = 0; i < self->families; i++)
        if (self->needles[i].literals == literals) return &self->needles[i];
    if (self->families == FAMILIES) {
        PyErr_SetString(PyExc_ValueError, "more families of literals than a Scanner holds");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(literals); i++) {
        PyObject *l = PyTuple_GET_ITEM(literals, i);
        if (!PyBytes_Check(l) || PyBytes_GET_SIZE(l) < 2) {
            PyErr_SetString(PyExc_ValueError, "a literal is two bytes or more");
            return NULL;
        }
    }
    Needles *n = &self->needles[self->families++];
    Py_INCREF(literals);
    thread(n, literals);
    return n;
}

/* ---- the six commonest lines; NULL without an exception: not of the plain form */

static int is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

static int is_alnum(unsigned char c) { return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

static int is_word(unsigned char c) { return is_alnum(c) || c == '_'; }

static int is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static int is_hex(unsigned char c) { return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); }

static const char *after(const char *p, const char *end, const char *word) {
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && !memcmp(p, word, n) ? p + n : NULL;
}

/* Events and Facts live for a block only: what is left of one is kept for the next of its type, which takes a third of the time of
 * asking for memory and giving it back. For that, `adopt` gives the type a tp_dealloc of ours, which does what tuple's does. */
typedef struct {
    PyTypeObject *type;
    Py_ssize_t size;
    int kept;
    PyObject *spare[SPARES];
} Pool;

static Pool pools[2]; /* Event, Fact */

static Pool *pool_of(PyTypeObject *type) { return type == pools[0].type ? &pools[0] : type == pools[1].type ? &pools[1] : NULL; }

static void give_back(PyObject *tuple) {
    PyTypeObject *type = Py_TYPE(tuple);
    Pool *pool = pool_of(type); /* NULL: of a class that inherits */
    PyObject **item = ((PyTupleObject *)tuple)->ob_item;
    PyObject_GC_UnTrack(tuple);
    for (Py_ssize_t i = Py_SIZE(tuple); i-- > 0;) Py_XDECREF(item[i]);
    if (pool && Py_SIZE(tuple) == pool->size && pool->kept < SPARES) pool->spare[pool->kept++] = tuple; /* with its reference to the type */
    else {
        PyObject_GC_Del(tuple);
        Py_DECREF(type);
    }
}

static void adopt(Pool *pool, PyObject *of, Py_ssize_t size) {
#ifndef Py_GIL_DISABLED /* the pools have no lock */
    PyTypeObject *type = (PyTypeObject *)of;
    if (pool->type || type->tp_dictoffset || type->tp_weaklistoffset || !(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) return;
    pool->type = (PyTypeObject *)Py_NewRef(of);
    pool->size = size;
    type->tp_dealloc = give_back;
#else
    (void)pool; (void)of; (void)size;
#endif
}

/* A tuple of a type of ours, all of whose items the caller sets. What it will hold is bytes and numbers: nothing that could be
 * part of a cycle, so the collector is not told of it. */
static PyTupleObject *new_tuple(PyObject *type, Py_ssize_t size) {
    Pool *pool = pool_of((PyTypeObject *)type);
    PyTupleObject *made;
    if (pool && pool->kept && size == pool->size) {
        made = (PyTupleObject *)pool->spare[--pool->kept];
        _Py_NewReference((PyObject *)made);
    } else made = PyObject_GC_NewVar(PyTupleObject, (PyTypeObject *)type, size);
#if PY_VERSION_HEX >= 0x030E0000
    if (made) made->ob_hash = -1; /* not known yet (Include/cpython/tupleobject.h, 3.14) */
#endif
    return made;
}

/* A Fact like `model`, but for what is given. Steals client, user and detail; each of them may be NULL with an exception set. */
static PyObject *small[128]; /* numbers as objects, made by PyInit__scan: kinds, weights, and attempts up to declare.CAP */

static PyObject *number_of(long value) { return value >= 0 && value < 128 ? Py_NewRef(small[value]) : PyLong_FromLong(value); }

static PyObject *fact_like(Scanner *self, PyObject *model, long kind, long weight, PyObject *client, PyObject *user, PyObject *service, long attempts,
                           PyObject *account, PyObject *detail) {
    PyTupleObject *fact = client && user && detail ? new_tuple(self->fact, 10) : NULL;
    if (!fact) {
        Py_XDECREF(client); Py_XDECREF(user); Py_XDECREF(detail);
        return NULL;
    }
    const unsigned char *a = (const unsigned char *)PyBytes_AS_STRING(client);
    Py_ssize_t n = PyBytes_GET_SIZE(client);
    static const unsigned char loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (!n || (n == 4 && (a[0] == 127 || (a[0] == 172 && a[1] >> 4 == 1 && !a[2] && a[3] == 1))) || (n == 16 && !memcmp(a, loopback, 16))) weight = 0; /* address.is_local */
    PyObject **item = fact->ob_item;
    item[0] = number_of(kind);
    item[1] = number_of(weight);
    item[2] = client;
    item[3] = user;
    item[4] = Py_NewRef(service);
    item[5] = number_of(attempts);
    item[6] = Py_NewRef(account);
    item[7] = detail;
    item[8] = Py_NewRef(PyTuple_GET_ITEM(model, 8));
    item[9] = Py_NewRef(PyTuple_GET_ITEM(model, 9));
    return (PyObject *)fact; /* ints up to 256 are kept by Python and cannot fail */
}

static long number(PyObject *model, Py_ssize_t i) { return PyLong_AsLong(PyTuple_GET_ITEM(model, i)); }

/* Four numbers with points, none of them over 255 or with a zero in front, not all of them 0: as inet_pton and address.py. 0: something else. */
static int ipv4(const char *p, const char *to, unsigned char *packed) {
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        const char *first = p;
        while (p < to && p - first < 3 && is_digit((unsigned char)*p)) value = value * 10 + (unsigned)(*p++ - '0');
        if (p == first || value > 255 || (*first == '0' && p - first > 1) || (i < 3 ? p >= to || *p++ != '.' : p != to)) return 0;
        packed[i] = (unsigned char)value;
    }
    return packed[0] || packed[1] || packed[2] || packed[3];
}

/* IPv6 without a zone, neither all zero nor IPv4 in other clothes. 0: something else. */
static int ipv6(const char *from, const char *to, unsigned char *packed) {
    static const unsigned char front[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255}, nobody[16];
    char text[INET6_ADDRSTRLEN];
    size_t size = (size_t)(to - from);
    if (size >= sizeof text || !memchr(from, ':', size) || memchr(from, 0, size)) return 0;
    memcpy(text, from, size);
    text[size] = 0;
    return inet_pton(AF_INET6, text, packed) == 1 && memcmp(packed, front, 12) && memcmp(packed, nobody, 16);
}

static PyObject *address_of(Scanner *self, const char *from, const char *to) {
    Py_ssize_t size = to - from;
    Address *a = NULL;
    if (size <= (Py_ssize_t)sizeof a->text) {
        a = &self->packed[hash_of(from, size) & (ADDRESSES - 1)];
        if (a->packed && a->length == size && !memcmp(a->text, from, (size_t)size)) return Py_NewRef(a->packed);
    }
    unsigned char bytes[16];
    PyObject *packed;
    if (ipv4(from, to, bytes)) packed = PyBytes_FromStringAndSize((const char *)bytes, 4);
    else if (ipv6(from, to, bytes)) packed = PyBytes_FromStringAndSize((const char *)bytes, 16);
    else {
        PyObject *text = PyBytes_FromStringAndSize(from, size);
        packed = text ? PyObject_GetItem(self->addresses, text) : NULL;
        Py_XDECREF(text);
    }
    if (packed && !PyBytes_Check(packed)) {
        PyErr_SetString(PyExc_TypeError, "an address is bytes");
        Py_CLEAR(packed);
    }
    if (packed && a) {
        PyObject *old = a->packed;
        a->packed = Py_NewRef(packed);
        a->length = (unsigned char)size;
        memcpy(a->text, from, (size_t)size);
        Py_XDECREF(old);
    }
    return packed;
}

static PyObject *cut_text(const char *from, const char *to) { /* as `[:255] or None` */
    if (to - from > 255) to = from + 255;
    return to > from ? PyBytes_FromStringAndSize(from, to - from) : Py_NewRef(Py_None);
}

/* Bytes that were met before: one object for all of them, if it is still in its place. */
static PyObject *shared(PyObject **table, uint64_t places, const char *from, Py_ssize_t size) {
    PyObject **slot = &table[(hash_of(from, size) >> 20) & (places - 1)], *old = *slot;
    if (old && PyBytes_GET_SIZE(old) == size && !memcmp(PyBytes_AS_STRING(old), from, (size_t)size)) return Py_NewRef(old);
    PyObject *made = PyBytes_FromStringAndSize(from, size);
    if (made) {
        *slot = Py_NewRef(made);
        Py_XDECREF(old);
    }
    return made;
}

/* The same as cut_text for what takes few values, such as a mechanism. */
static PyObject *word_of(Scanner *self, const char *from, const char *to) {
    Py_ssize_t size = to - from;
    return !size || size > 32 ? cut_text(from, to) : shared(self->words, WORDS, from, size);
}

/* The same for names: few are tried, each a thousand times, and what is one object is hashed once by those who look it up. */
static PyObject *user_of(Scanner *self, const char *from, const char *to) {
    Py_ssize_t size = to - from;
    return !size || size > 64 ? cut_text(from, to) : shared(self->users, USERS, from, size);
}

static const unsigned char ends_name[256] = {['['] = 1, [']'] = 1, [' '] = 1, ['\t'] = 1, ['\n'] = 1, ['\v'] = 1, ['\f'] = 1, ['\r'] = 1};

/* `name[address]` or `name[address]:port`: what follows it, or NULL. */
static const char *peer(const char *p, const char *end, const char **from, const char **to) {
    while (p < end && !ends_name[(unsigned char)*p]) p++;
    if (p >= end || *p != '[') return NULL;
    *from = ++p;
    while (p < end && !ends_name[(unsigned char)*p]) p++;
    if (p >= end || *p != ']') return NULL;
    *to = p++;
    if (end - p > 1 && *p == ':' && is_digit((unsigned char)p[1])) {
        p++;
        while (p < end && is_digit((unsigned char)*p)) p++;
    }
    return p;
}

/* Kind and weight of what Postfix says, from `postfix.reasons` (split 0) or `postfix.refusals` (status: code and status as they are
 * written); 0, or -1 with an exception set. */
static int said(Scanner *self, const char *status, size_t split, const char *reason, size_t size, long *kind, long *weight) {
    Said *s = NULL;
    if (split + size <= sizeof s->text) {
        s = &self->said[(hash_of(reason, (Py_ssize_t)size) ^ split) & (SAID - 1)];
        if (s->used == split + size + 1 && s->split == split && !memcmp(s->text, status, split) && !memcmp(s->text + split, reason, size)) {
            *kind = s->kind;
            *weight = s->weight;
            return 0;
        }
    }
    PyObject *key = split > 3   ? Py_BuildValue("y#y#y#", status, (Py_ssize_t)3, status + 4, (Py_ssize_t)split - 4, reason, (Py_ssize_t)size)
                    : split     ? Py_BuildValue("y#Oy#", status, (Py_ssize_t)3, Py_None, reason, (Py_ssize_t)size)
                                : PyBytes_FromStringAndSize(reason, (Py_ssize_t)size);
    PyObject *found = key ? PyObject_GetItem(split ? self->refusals : self->reasons, key) : NULL;
    Py_XDECREF(key);
    int good = found && PyArg_ParseTuple(found, "ll", kind, weight);
    Py_XDECREF(found);
    if (good && s) {
        s->used = (unsigned char)(split + size + 1);
        s->split = (unsigned char)split;
        s->kind = (unsigned char)*kind;
        s->weight = (unsigned char)*weight;
        memcpy(s->text, status, split);
        memcpy(s->text + split, reason, size);
    }
    return good ? 0 : -1;
}

/* warning: name[address]: SASL LOGIN authentication failed: reason, sasl_username=user */
static PyObject *sasl(Scanner *self, PyObject *service, const char *p, const char *end) {
    const char *from, *to, *mech, *mech_end;
    if (!(p = after(p, end, "warning: ")) || after(p, end, "client=")) return NULL; /* `client=`: as if a queue id stood before it */
    if (!(p = peer(p, end, &from, &to)) || !(p = after(p, end, ": SASL "))) return NULL;
    mech = p;
    while (p < end && (is_word((unsigned char)*p) || *p == '-')) p++;
    mech_end = p;
    if (p == mech || p - mech > 255 || !(p = after(p, end, " authentication failed"))) return NULL;
    if (p < end && *p != ':') return NULL;
    if (p < end) p++;
    if (p < end && is_space((unsigned char)*p)) p++;
    const char *reason_end = memmem(p, (size_t)(end - p), ", sasl_username=", 16), *name = end;
    if (reason_end) {
        name = reason_end + 16;
        if (end - name == 13 && !memcmp(name, "(unavailable)", 13)) name = end;
    } else reason_end = end;
    long kind, weight;
    if (said(self, p, 0, p, (size_t)(reason_end - p), &kind, &weight) < 0) return NULL;
    return fact_like(self, self->sasl, kind, weight, address_of(self, from, to), user_of(self, name, end), service, 1, Py_None, word_of(self, mech, mech_end));
}

/* disconnect from name[address] ehlo=1 auth=0/2 ...: a Fact where all AUTH commands failed or all succeeded, None where there was none */
static PyObject *summary(Scanner *self, PyObject *service, const char *p, const char *end) {
    const char *from, *to;
    if (!(p = after(p, end, "disconnect from ")) || !(p = peer(p, end, &from, &to))) return NULL;
    const char *auth = NULL;
    for (;;) {
        if (p >= end || *p != ' ') break;
        const char *word = ++p;
        while (p < end && *p >= 'a' && *p <= 'z') p++;
        if (p == word || p >= end || *p != '=') break;
        const char *value = ++p;
        while (p < end && (is_digit((unsigned char)*p) || *p == '/')) p++;
        if (p == value) break;
        if (p - value < 18 && value - word == 5 && !memcmp(word, "auth=", 5)) {
            if (auth) return NULL;
            auth = value;
        }
    }
    /* Nothing else is read of a line that begins like this; explain can, so it is none of those that were not understood. */
    if (!auth) return p == end ? Py_NewRef(Py_None) : NULL;
    long good = 0, all = 0;
    int digits = 0;
    while (auth < end && is_digit((unsigned char)*auth) && digits < 6) good = good * 10 + (*auth++ - '0'), digits++;
    if (!digits) return NULL;
    if (auth < end && *auth == '/') {
        auth++;
        for (digits = 0; auth < end && is_digit((unsigned char)*auth) && digits < 6; digits++) all = all * 10 + (*auth++ - '0');
        if (!digits) return NULL;
    } else all = good;
    if (auth < end && *auth != ' ') return NULL;
    if (good && all <= good)
        return fact_like(self, self->summary, self->kind_disconnect, 0, address_of(self, from, to), Py_NewRef(Py_None), service, 1, Py_None, Py_NewRef(Py_None));
    if (!all) {
        self->understood++;
        return Py_NewRef(Py_None);
    }
    if (good) return NULL;
    return fact_like(self, self->summary, number(self->summary, 0), number(self->summary, 1), address_of(self, from, to), Py_NewRef(Py_None), service,
                     all < 100 ? all : 100, Py_None, Py_NewRef(Py_None));
}

/* lost connection after AUTH from name[address] */
static PyObject *lost(Scanner *self, PyObject *service, const char *p, const char *end) {
    const char *from, *to;
    if (!(p = after(p, end, "lost connection after AUTH from ")) || !peer(p, end, &from, &to)) return NULL;
    return fact_like(self, self->lost, number(self->lost, 0), number(self->lost, 1), address_of(self, from, to), Py_NewRef(Py_None), service, 1, Py_None,
                     Py_NewRef(Py_None));
}

/* Behind the queue id: `: reject: RCPT from name[address]: 554 5.7.1 <to>: reason; from=<...> to=<...> ...` */
static PyObject *refused(Scanner *self, PyObject *service, const char *p, const char *end) {
    const char *from, *to, *command;
    if (!(p = after(p, end, ": reject: "))) return NULL;
    for (command = p; p < end && ((*p >= 'A' && *p <= 'Z') || (*p == '-' && p > command)); p++) {}
    if (p == command || !(p = after(p, end, " from ")) || !(p = peer(p, end, &from, &to)) || !(p = after(p, end, ": "))) return NULL;
    if (end - p < 3 || (*p != '4' && *p != '5') || !is_digit((unsigned char)p[1]) || !is_digit((unsigned char)p[2])) return NULL;
    const char *code = p;
    p += 3;
    const char *status = after(p, end, " 4.");
    if (!status) status = after(p, end, " 5.");
    if (status) { /* d.d or d.ddd and so on, up to three digits each; else it belongs to the text */
        const char *q = status;
        while (q < end && q - status < 3 && is_digit((unsigned char)*q)) q++;
        if (q > status && q < end && *q == '.') {
            const char *last = ++q;
            while (q < end && q - last < 3 && is_digit((unsigned char)*q)) q++;
            if (q > last) p = q;
        }
    }
    size_t split = (size_t)(p - code);
    if (p < end && *p == ' ') p++;
    if (end - p > 4000) end = p + 4000;
    const char *reason = p, *reason_end;
    if (p < end && *p == '<') {
        reason = memmem(p, (size_t)(end - p), ">: ", 3);
        if (!reason) return NULL;
        reason += 3;
    }
    reason_end = memmem(reason, (size_t)(end - reason), "; ", 2);
    if (!reason_end) reason_end = end;
    long kind, weight;
    if (said(self, code, split, reason, (size_t)(reason_end - reason), &kind, &weight) < 0) return NULL;
    const char *name = end, *name_end = end;
    if (weight) {
        if (kind == self->kind_relay && (memmem(p, (size_t)(end - p), " from=<> ", 9) || memmem(p, (size_t)(end - p), " from=<>, ", 10))) weight = 0;
        const char *found = memmem(p, (size_t)(end - p), " to=<", 5);
        if (found) {
            found += 5;
            const char *close = memchr(found, '>', (size_t)(end - found));
            if (close) name = found, name_end = close;
        }
    } else if (memmem(reason, (size_t)(reason_end - reason), "not owned by user", 17)) return NULL;
    return fact_like(self, self->refused, kind, weight, address_of(self, from, to), Py_NewRef(Py_None), service, 1, Py_None, cut_text(name, name_end));
}

/* auth-worker(1): conn unix:auth-worker (pid=5,uid=109): auth-worker<5>: sql(user,address,<session>): Password mismatch */
static PyObject *detail(Scanner *self, const char *p, const char *end) {
    const char *q;
    if (!(p = after(p, end, "auth"))) return NULL;
    if ((q = after(p, end, "-worker("))) {
        while (q < end && is_digit((unsigned char)*q)) q++;
        if (!(p = after(q, end, "): "))) return NULL;
        if ((q = after(p, end, "conn unix:auth-worker ("))) {
            q = memchr(q, ')', (size_t)(end - q));
            if (!q || !(q = after(q, end, "): auth-worker<"))) return NULL;
            const char *number = q;
            while (q < end && is_digit((unsigned char)*q)) q++;
            if (q == number || !(p = after(q, end, ">: "))) return NULL;
        }
    } else if (!(p = after(p, end, ": "))) return NULL;
    q = p;
    while (q < end && (is_word((unsigned char)*q) || *q == '-')) q++;
    if (q == p || q >= end || *q != '(') return NULL;
    const char *user = p = q + 1;
    while (p < end && (is_word((unsigned char)*p) || *p == '.' || *p == '@' || *p == '+' || *p == '-')) p++;
    const char *user_end = p;
    if (p >= end || *p != ',') return NULL;
    const char *from = ++p;
    while (p < end && (is_hex((unsigned char)*p) || *p == ':' || *p == '.')) p++;
    const char *to = p;
    if (p == from || p >= end) return NULL;
    if (*p == ',') {
        p++;
        if (p < end && *p == '<') {
            while (p < end && *p != '>' && *p != ',' && !is_space((unsigned char)*p)) p++;
            if (p >= end || *p != '>') return NULL;
            p++;
        }
    }
    if (!(p = after(p, end, "): "))) return NULL;
    PyObject *account;
    if ((q = after(p, end, "unknown user"))) account = Py_False;
    else if ((q = after(p, end, "Password mismatch"))) account = Py_True;
    else if ((q = after(p, end, "pam_authenticate() failed: Authentication failure (Password mismatch?)"))) account = Py_True;
    else return NULL;
    const char *secret = NULL, *secret_end = NULL;
    if (q < end) {
        if (!(secret = after(q, end, " (SHA1 of given password: "))) return NULL;
        for (secret_end = secret; secret_end < end && (is_digit((unsigned char)*secret_end) || (*secret_end >= 'a' && *secret_end <= 'f')); secret_end++) {}
        if (secret_end == secret || end - secret_end != 1 || *secret_end != ')') return NULL;
    }
    return fact_like(self, self->detail, number(self->detail, 0), number(self->detail, 1), address_of(self, from, to), user_of(self, user, user_end),
                     PyTuple_GET_ITEM(self->detail, 4), 1, account, secret ? PyBytes_FromStringAndSize(secret, secret_end - secret) : Py_NewRef(Py_None));
}

/* imap-login: Disconnected (auth failed, 2 attempts in 5 secs): user=<name>, method=PLAIN, rip=address, lip=address; `end` is where it was cut */
static PyObject *failed(Scanner *self, const char *p, const char *end) {
    static const char *const names[] = {"imap-login: ", "pop3-login: ", "submission-login: ", "managesieve-login: ", "sieve-login: "}; /* as in self->doors */
    const char *q = NULL;
    if (end - p > 900) return NULL; /* declare.WHOLE */
    int door = 0;
    while (door < 5 && !(q = after(p, end, names[door]))) door++;
    if (!q) return NULL;
    for (p = q; p < end && *p != '('; p++) /* what may be the client's word, or our own fault (dovecot.OUR_FAULT), is not plain */
        if ((*p == 'u' && (after(p, end, "user=<") || after(p, end, "uth process "))) || (*p == 'I' && after(p, end, "Internal ")) ||
            (*p == 'T' && after(p, end, "Temporary ")) || (*p == 'a' && after(p, end, "auth server")))
            return NULL;
    if (!(p = after(p, end, "(auth failed, "))) return NULL;
    long attempts = 0;
    for (q = p; p < end && p - q < 6 && is_digit((unsigned char)*p); p++) attempts = attempts * 10 + (*p - '0');
    if (p == q || !(p = after(p, end, " attempts"))) return NULL;
    p = memchr(p, '=', (size_t)(end - p));
    if (!p || !(p = after(p, end, "=<"))) return NULL;
    const char *user = p, *user_end = memchr(p, '>', (size_t)(end - p));
    if (!user_end || memchr(user_end + 1, '>', (size_t)(end - user_end - 1)) || !(p = after(user_end, end, ">, "))) return NULL;
    const char *method = p, *method_end = p;
    if ((q = after(p, end, "method="))) {
        method = q;
        method_end = memchr(q, ',', (size_t)(end - q));
        if (!method_end || method_end - method > 255 || !(p = after(method_end, end, ", "))) return NULL;
    }
    if (!(p = after(p, end, "rip="))) return NULL;
    const char *from = p;
    while (p < end && *p != ',' && *p != ')' && *p != '>' && !is_space((unsigned char)*p)) p++;
    if (p == from) return NULL;
    PyObject *client = address_of(self, from, p);
    long weight = number(self->failed, 1);
    if (client && (q = after(p, end, ", lip="))) {
        for (p = q; p < end && *p != ',' && *p != ')' && *p != '>' && !is_space((unsigned char)*p); p++) {}
        PyObject *own = p > q ? address_of(self, q, p) : NULL;
        if (own && PyBytes_GET_SIZE(own) == PyBytes_GET_SIZE(client) && !memcmp(PyBytes_AS_STRING(own), PyBytes_AS_STRING(client), (size_t)PyBytes_GET_SIZE(own)))
            weight = 0;
        Py_XDECREF(own);
        if (PyErr_Occurred()) Py_CLEAR(client);
    }
    return fact_like(self, self->failed, number(self->failed, 0), weight, client, user_of(self, user, user_end), PyTuple_GET_ITEM(self->doors, door),
                     attempts < 100 ? attempts : 100, Py_None, word_of(self, method, method_end));
}

/* The entry of a head: found, or asked for. NULL with an exception set, or with none where it could not be kept (*once is filled). */
static Head *head_of(Scanner *self, const char *head, Py_ssize_t length, Head *once) {
    const char *base_end = head + length;
    if (length > 2 && base_end[-1] == ']') { /* without the pid, as Reader._remember */
        const char *p = base_end - 2;
        while (p > head && base_end - p < 12 && is_digit((unsigned char)*p)) p--;
        if (*p == '[' && p < base_end - 2 && p > head && p[-1] != ']') base_end = p;
    }
    Py_ssize_t base = base_end - head;
    Head *h = once;
    int keep = base <= LONGEST_HEAD;
    if (keep) {
        uint64_t hash = hash_of(head, base);
        Head *slot = &self->heads[(hash >> 40) & (HEADS - PROBES)], *free = NULL;
        for (int i = 0; i < PROBES; i++) {
            if (!slot[i].program) {
                if (!free) free = &slot[i];
            } else if (slot[i].length == base && !memcmp(slot[i].head, head, (size_t)base)) return &slot[i];
        }
        h = free ? free : &slot[(hash >> 32) & (PROBES - 1)];
    }
    PyObject *answer = PyObject_CallFunction(self->on_head, "y#", head, length); /* reader.Look */
    if (!answer) return NULL;
    Head fresh;
    memset(&fresh, 0, sizeof fresh);
    PyObject *literals;
    if (!PyArg_ParseTuple(answer, "OO!OO!O!ii", &fresh.program, &PyDict_Type, &fresh.facts, &fresh.service, &PyTuple_Type, &fresh.quiet, &PyTuple_Type, &literals, &fresh.cut, &fresh.id)) {
        Py_DECREF(answer);
        return NULL;
    }
    Py_INCREF(fresh.program); Py_INCREF(fresh.facts); Py_INCREF(fresh.service); Py_INCREF(fresh.quiet);
    fresh.needles = needles_of(self, literals);
    Py_DECREF(answer);
    if (!fresh.needles) {
        forget(&fresh);
        return NULL;
    }
    if (keep) {
        fresh.length = (unsigned char)base;
        memcpy(fresh.head, head, (size_t)base);
    }
    forget(h);
    *h = fresh;
    return h;
}

/* Epoch of the stamp of `line`; -1 with an exception set on error. `size` is the stamp's length, 15 without a year. */
static double time_of(Scanner *self, const char *line, Py_ssize_t size) {
    int iso = size != 15, keylen = iso ? 16 : 13;
    int plain = !iso || (size == 32 && line[19] == '.');
    for (int i = iso ? 17 : 13; plain && i < (iso ? 26 : 15); i++) /* before the minute is asked for: the clock remembers what it was asked */
        if (i != 19 && (line[i] < '0' || line[i] > '9')) plain = !iso;
    if (plain) {
        if (self->minute_length != keylen || memcmp(self->minute_text, line, (size_t)keylen)) {
            PyObject *key = PyBytes_FromStringAndSize(line, keylen), *table = iso ? self->iso_minutes : self->minutes;
            if (!key) return -1;
            PyObject *value = PyObject_GetItem(table, key);
            if (!value) {
                Py_DECREF(key);
                if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_KeyError) && !PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
                PyErr_Clear();
                goto other;
            }
            double minute = PyFloat_AsDouble(value);
            int kept = PyDict_Contains(table, key); /* a minute that depends on the order of lines is not kept: asked for each time */
            Py_DECREF(value);
            Py_DECREF(key);
            if (kept < 0 || (minute == -1.0 && PyErr_Occurred())) return -1;
            self->minute = minute;
            memcpy(self->minute_text, line, (size_t)keylen);
            self->minute_length = kept ? keylen : 0;
        }
        const char *s = line + (iso ? 17 : 13);
        if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9') goto other;
        if (!iso) return self->minute + (s[0] - '0') * 10 + (s[1] - '0');
        long millionths = (s[0] - '0') * 10 + (s[1] - '0');
        for (int i = 3; i < 9; i++) {
            if (s[i] < '0' || s[i] > '9') goto other;
            millionths = millionths * 10 + (s[i] - '0');
        }
        double seconds = (double)millionths / 1e6; /* both are exact, so it is the double nearest to the text, as float() gives it */
        if (self->zone_known && !memcmp(self->zone_text, line + 26, 6)) return self->minute + seconds + self->zone;
        PyObject *zone_text = PyBytes_FromStringAndSize(line + 26, 6);
        if (!zone_text) return -1;
        PyObject *zone = PyObject_GetItem(self->zones, zone_text);
        Py_DECREF(zone_text);
        if (!zone) {
            if (!PyErr_ExceptionMatches(PyExc_ValueError)) return -1;
            PyErr_Clear();
            goto other;
        }
        double offset = PyFloat_AsDouble(zone);
        Py_DECREF(zone);
        if (offset == -1.0 && PyErr_Occurred()) return -1;
        self->zone = offset;
        memcpy(self->zone_text, line + 26, 6);
        self->zone_known = 1;
        return self->minute + seconds + offset;
    }
other:;
    self->minute_length = 0; /* the clock may forget its minutes */
    PyObject *value = PyObject_CallFunction(self->on_stamp, "y#", line, size);
    if (!value) return -1;
    double at = PyFloat_AsDouble(value);
    Py_DECREF(value);
    return at;
}

static int emit(Scanner *self, PyObject *out, PyObject *fact, const char *line, Py_ssize_t stamp, const char *colon, const char *end) {
    double at = time_of(self, line, stamp);
    if (at == -1.0 && PyErr_Occurred()) return -1;
    PyTupleObject *event = new_tuple(self->event, 5);
    if (!event) return -1;
    PyObject **item = event->ob_item;
    item[0] = PyFloat_FromDouble(at);
    item[1] = Py_NewRef(fact);
    item[2] = Py_NewRef(PyTuple_GET_ITEM(fact, 5));
    item[3] = PyBytes_FromStringAndSize(line, end - line);
    item[4] = colon - line - stamp <= LONGEST_HEAD ? shared(self->processes, PROCESSES, line + stamp, colon - line - stamp) : PyBytes_FromStringAndSize(line + stamp, colon - line - stamp);
    int bad = !item[0] || !item[3] || !item[4] || PyList_Append(out, (PyObject *)event) < 0;
    Py_DECREF(event);
    return bad ? -1 : 0;
}

/* Asks Python about a whole line; what it says is appended. */
static int odd(Scanner *self, PyObject *out, PyObject *block, const char *line, const char *end, Py_ssize_t start) {
    self->minute_length = 0; /* the clock may forget its minutes */
    PyObject *record = PyObject_CallFunction(self->on_odd, "y#On", line, end - line, block, start);
    if (!record) return -1;
    int bad = record != Py_None && PyList_Append(out, record) < 0;
    Py_DECREF(record);
    return bad ? -1 : 0;
}

static int one_line(Scanner *self, PyObject *out, PyObject *block, const char *begin, const char *line, const char *end, Head *once) {
    Py_ssize_t length = end - line, stamp;
    if (length < 18 || length > LONGEST) return 0;
    if (line[0] >= 'A' && line[0] <= 'Z' && line[15] == ' ') stamp = 15;
    else if (line[0] >= '0' && line[0] <= '9' && line[10] == 'T' && length > 20) {
        const char *space = memchr(line + 19, ' ', (size_t)length - 19);
        if (!space) return 0;
        stamp = space - line;
    } else return odd(self, out, block, line, end, line - begin);
    const char *colon = line + stamp;
    do {
        colon = memchr(colon + 1, ':', (size_t)(end - colon - 1));
    } while (colon && colon + 1 < end && colon[1] != ' ');
    if (!colon || colon + 2 >= end) return line[stamp + 1] == '[' || memmem(line, (size_t)length, "message repeated ", 17) ? odd(self, out, block, line, end, line - begin) : 0;
    const char *message = colon + 2;
    Py_ssize_t size = end - message;
    if ((size > 4 && !memcmp(message, "[ID ", 4)) || (size > 17 && (!memcmp(message, "message repeated ", 17) || (size > 22 && !memcmp(message, "last message repeated ", 22)))))
        return odd(self, out, block, line, end, line - begin);
    Head *h = head_of(self, line + stamp, colon - line - stamp, once);
    if (!h) return -1;
    if (h->program == Py_None) return 0;
    if (h->program == Py_False) { /* not ours, and not known either: another shape of header, or a failure that nobody reads */
        if (h->id) return odd(self, out, block, line, end, line - begin);
        if (which(&self->needles[0], line, length) < 0) return 0;
        PyObject *done = PyObject_CallFunction(self->on_doubt, "y#Oy#", line, length, Py_None, message, size);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    if (begins(message, size, h->quiet)) return 0;
    const char *from = message, *to = end; /* the part that decides (Key) */
    PyObject *fact = NULL;
    if (h->cut) { /* up to and with the last `lip=` */
        const char *lip = last_in(message, end, ", lip=", 6);
        if (lip && lip > message) {
            lip = memchr(lip + 6, ',', (size_t)(end - lip - 6));
            if (lip && !memmem(lip, (size_t)(end - lip), "rip=", 4)) to = lip; /* else that `lip=` is the client's own word */
        }
        fact = message[0] == 'a' ? detail(self, message, end) : failed(self, message, to);
    } else if (h->id) {
        if (message[0] == 'w') fact = sasl(self, h->service, message, end);
        else if (message[0] == 'd') {
            fact = summary(self, h->service, message, end);
            if (fact == Py_None) {
                Py_DECREF(fact);
                return 0;
            }
        } else if (message[0] == 'l') fact = lost(self, h->service, message, end);
        if (!fact && !PyErr_Occurred()) { /* what follows the queue id */
            const char *p = message;
            while (p < end && is_alnum((unsigned char)*p)) p++;
            if (end - p > 9 && p > message && p[0] == ':' && p[1] == ' ') {
                if (!memcmp(p + 2, "client=", 7)) from = p + 2;
                else fact = refused(self, h->service, p, end);
            }
        }
    }
    if (fact) { /* of the formats that are read here, none is DISCONNECT and ALONE */
        int bad = emit(self, out, fact, line, stamp, colon, end);
        Py_DECREF(fact);
        return bad;
    }
    if (PyErr_Occurred()) return -1;
    PyObject *text = NULL;
    Py_ssize_t wide = to - from;
    if (PyDict_GET_SIZE(h->facts) && wide < LONGEST_KNOWN) {
        uint64_t hash = hash_of(from, wide);
        Known *k = &self->known[hash & (KNOWN - 1)];
        if (k->fact && k->hash == hash && k->facts == h->facts && PyBytes_GET_SIZE(k->text) == wide && !memcmp(PyBytes_AS_STRING(k->text), from, (size_t)wide))
            fact = Py_NewRef(k->fact);
        else {
            if (!(text = PyBytes_FromStringAndSize(from, wide))) return -1;
            fact = PyDict_GetItemWithError(h->facts, text);
            if (fact) {
                Known fresh = {hash, Py_NewRef(h->facts), Py_NewRef(text), Py_NewRef(fact)}, old = *k;
                *k = fresh;
                Py_INCREF(fact);
                Py_XDECREF(old.facts); Py_XDECREF(old.text); Py_XDECREF(old.fact);
            } else if (PyErr_Occurred()) {
                Py_DECREF(text);
                return -1;
            }
        }
    }
    Py_ssize_t first = fact ? -1 : which(h->needles, message, size);
    if (first >= 0) {
        if (!text) text = PyBytes_FromStringAndSize(from, wide);
        fact = text ? PyObject_CallFunction(self->on_message, "Oy#On", h->program, message, size, text, first) : NULL;
    } else if (!fact) fact = Py_NewRef(Py_None);
    Py_XDECREF(text);
    if (!fact) return -1;
    int bad = 0;
    if (fact == Py_None) {
        if (which(&self->needles[0], line, length) >= 0) {
            PyObject *done = PyObject_CallFunction(self->on_doubt, "y#Oy#", line, length, h->program, message, size);
            bad = done ? 0 : -1;
            Py_XDECREF(done);
        }
    } else if (PyLong_AsLong(PyTuple_GET_ITEM(fact, 0)) == self->kind_disconnect && !PyLong_AsLong(PyTuple_GET_ITEM(fact, 8))) self->understood++; /* Join.ALONE */
    else bad = emit(self, out, fact, line, stamp, colon, end);
    Py_DECREF(fact);
    return bad;
}

PyDoc_STRVAR(scan_doc, "scan(block) -> list of events\n\nThe events of a block of whole lines (Reader.read).");

static PyObject *scan(Scanner *self, PyObject *block) {
    if (!PyBytes_Check(block)) {
        PyErr_SetString(PyExc_TypeError, "a block is bytes");
        return NULL;
    }
    PyObject *out = PyList_New(0);
    if (!out) return NULL;
    const char *begin = PyBytes_AS_STRING(block), *stop = begin + PyBytes_GET_SIZE(block), *line = begin;
    Head once;
    memset(&once, 0, sizeof once);
    while (line < stop) {
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        if (!end) end = stop;
        if (one_line(self, out, block, begin, line, end > line && end[-1] == '\r' ? end - 1 : end, &once) < 0) {
            forget(&once);
            Py_DECREF(out);
            return NULL;
        }
        line = end + 1;
        self->lines++;
    }
    forget(&once);
    return out;
}

static int Scanner_init(Scanner *self, PyObject *args, PyObject *kwds) {
    if (kwds && PyDict_GET_SIZE(kwds)) {
        PyErr_SetString(PyExc_TypeError, "Scanner takes no keywords");
        return -1;
    }
    if (self->heads) {
        PyErr_SetString(PyExc_TypeError, "a Scanner is made once");
        return -1;
    }
    PyObject *on_head, *on_message, *on_odd, *on_doubt, *on_stamp, *minutes, *iso_minutes, *zones, *addresses, *reasons, *refusals, *doors, *suspects;
    PyObject *event, *fact, *models[6];
    if (!PyArg_ParseTuple(args, "(OOOOO)(O!O!O!)(OOOO!)O!(O!O!)(O!O!O!O!O!O!)(ii)", &on_head, &on_message, &on_odd, &on_doubt, &on_stamp, &PyDict_Type, &minutes,
                          &PyDict_Type, &iso_minutes, &PyDict_Type, &zones, &addresses, &reasons, &refusals, &PyTuple_Type, &doors, &PyTuple_Type, &suspects, &PyType_Type, &event,
                          &PyType_Type, &fact, &PyTuple_Type, &models[0], &PyTuple_Type, &models[1], &PyTuple_Type, &models[2], &PyTuple_Type, &models[3],
                          &PyTuple_Type, &models[4], &PyTuple_Type, &models[5], &self->kind_disconnect, &self->kind_relay))
        return -1;
    int right = PyType_IsSubtype((PyTypeObject *)event, &PyTuple_Type) && PyType_IsSubtype((PyTypeObject *)fact, &PyTuple_Type) && PyTuple_GET_SIZE(doors) == 5;
    for (int i = 0; i < 6; i++)
        right = right && Py_TYPE(models[i]) == (PyTypeObject *)fact && PyTuple_GET_SIZE(models[i]) == 10 && PyLong_Check(PyTuple_GET_ITEM(models[i], 0)) &&
                PyLong_Check(PyTuple_GET_ITEM(models[i], 1));
    if (!right) {
        PyErr_SetString(PyExc_TypeError, "a Fact has ten fields, there are six models of it and five doors");
        return -1;
    }
    self->heads = PyMem_Calloc(HEADS, sizeof(Head));
    self->needles = PyMem_Calloc(FAMILIES, sizeof(Needles));
    self->known = PyMem_Calloc(KNOWN, sizeof(Known));
    self->packed = PyMem_Calloc(ADDRESSES, sizeof(Address));
    self->said = PyMem_Calloc(SAID, sizeof(Said));
    if (!self->heads || !self->needles || !self->known || !self->packed || !self->said) {
        PyErr_NoMemory();
        return -1;
    }
    self->on_head = Py_NewRef(on_head); self->on_message = Py_NewRef(on_message); self->on_odd = Py_NewRef(on_odd);
    self->on_doubt = Py_NewRef(on_doubt); self->on_stamp = Py_NewRef(on_stamp); self->minutes = Py_NewRef(minutes);
    self->iso_minutes = Py_NewRef(iso_minutes); self->zones = Py_NewRef(zones); self->addresses = Py_NewRef(addresses);
    self->reasons = Py_NewRef(reasons); self->refusals = Py_NewRef(refusals); self->doors = Py_NewRef(doors);
    self->event = Py_NewRef(event); self->fact = Py_NewRef(fact);
    self->sasl = Py_NewRef(models[0]); self->summary = Py_NewRef(models[1]); self->lost = Py_NewRef(models[2]);
    self->refused = Py_NewRef(models[3]); self->detail = Py_NewRef(models[4]); self->failed = Py_NewRef(models[5]);
    adopt(&pools[0], event, 5);
    adopt(&pools[1], fact, 10);
    return needles_of(self, suspects) ? 0 : -1;
}

static int Scanner_traverse(Scanner *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->on_head); Py_VISIT(self->on_message); Py_VISIT(self->on_odd); Py_VISIT(self->on_doubt); Py_VISIT(self->on_stamp);
    Py_VISIT(self->minutes); Py_VISIT(self->iso_minutes); Py_VISIT(self->zones); Py_VISIT(self->addresses); Py_VISIT(self->reasons);
    Py_VISIT(self->refusals); Py_VISIT(self->doors); Py_VISIT(self->event); Py_VISIT(self->fact);
    Py_VISIT(self->sasl); Py_VISIT(self->summary); Py_VISIT(self->lost); Py_VISIT(self->refused); Py_VISIT(self->detail); Py_VISIT(self->failed);
    for (int i = 0; self->heads && i < HEADS; i++) {
        Py_VISIT(self->heads[i].program); Py_VISIT(self->heads[i].facts); Py_VISIT(self->heads[i].service);
        Py_VISIT(self->heads[i].quiet);
    }
    for (int i = 0; self->known && i < KNOWN; i++) {
        Py_VISIT(self->known[i].facts); Py_VISIT(self->known[i].text); Py_VISIT(self->known[i].fact);
    }
    for (int i = 0; self->packed && i < ADDRESSES; i++) Py_VISIT(self->packed[i].packed);
    for (int i = 0; i < WORDS; i++) Py_VISIT(self->words[i]);
    for (int i = 0; i < USERS; i++) Py_VISIT(self->users[i]);
    for (int i = 0; i < PROCESSES; i++) Py_VISIT(self->processes[i]);
    for (int i = 0; i < self->families; i++) Py_VISIT(self->needles[i].literals);
    return 0;
}

static int Scanner_clear(Scanner *self) {
    Py_CLEAR(self->on_head); Py_CLEAR(self->on_message); Py_CLEAR(self->on_odd); Py_CLEAR(self->on_doubt); Py_CLEAR(self->on_stamp);
    Py_CLEAR(self->minutes); Py_CLEAR(self->iso_minutes); Py_CLEAR(self->zones); Py_CLEAR(self->addresses); Py_CLEAR(self->reasons);
    Py_CLEAR(self->refusals); Py_CLEAR(self->doors); Py_CLEAR(self->event); Py_CLEAR(self->fact);
    Py_CLEAR(self->sasl); Py_CLEAR(self->summary); Py_CLEAR(self->lost); Py_CLEAR(self->refused); Py_CLEAR(self->detail); Py_CLEAR(self->failed);
    for (int i = 0; self->heads && i < HEADS; i++) forget(&self->heads[i]);
    for (int i = 0; self->known && i < KNOWN; i++) {
        Py_CLEAR(self->known[i].facts); Py_CLEAR(self->known[i].text); Py_CLEAR(self->known[i].fact);
    }
    for (int i = 0; self->packed && i < ADDRESSES; i++) Py_CLEAR(self->packed[i].packed);
    for (int i = 0; i < WORDS; i++) Py_CLEAR(self->words[i]);
    for (int i = 0; i < USERS; i++) Py_CLEAR(self->users[i]);
    for (int i = 0; i < PROCESSES; i++) Py_CLEAR(self->processes[i]);
    while (self->families > 0) {
        self->families--; /* not in the macro: before 3.12 it evaluates its argument several times */
        Py_CLEAR(self->needles[self->families].literals);
    }
    return 0;
}

static void Scanner_dealloc(Scanner *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Scanner_clear(self);
    PyMem_Free(self->heads);
    PyMem_Free(self->needles);
    PyMem_Free(self->known);
    PyMem_Free(self->packed);
    PyMem_Free(self->said);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *get_understood(Scanner *self, void *unused) { (void)unused; return PyLong_FromSsize_t(self->understood); }

static PyObject *get_lines(Scanner *self, void *unused) { (void)unused; return PyLong_FromSsize_t(self->lines); }

PyDoc_STRVAR(session_doc, "session_id(line) -> bytes\n\nDovecot's session of a line, as join.session_of says.");

static PyObject *session_id(PyObject *module, PyObject *bytes) {
    (void)module;
    if (!PyBytes_Check(bytes)) {
        PyErr_SetString(PyExc_TypeError, "a line is bytes");
        return NULL;
    }
    const char *line = PyBytes_AS_STRING(bytes), *end = line + PyBytes_GET_SIZE(bytes), *at = NULL, *comma = NULL, *bracket = NULL, *p = end;
    while (!at && (p = memrchr(line, '<', (size_t)(p - line))) && p > line) { /* of `session=<` the last, of the others the first */
        if (p - line >= 8 && !memcmp(p - 8, "session=", 8)) at = p + 1;
        else if (p[-1] == ',') comma = p + 1;
        else if (p[-1] == ')') bracket = p + 1;
    }
    if (!at) {
        if (comma) at = comma;
        else if ((at = bracket)) {
            const char *stop = memmem(at, (size_t)(end - at), ">: ", 3), *last = stop ? last_in(at, stop + 1, "><", 2) : NULL;
            if (last) at = last + 2;
        }
    }
    const char *close = at ? memchr(at, '>', (size_t)(end - at)) : NULL;
    return PyBytes_FromStringAndSize(at, close && close - at <= 64 ? close - at : 0);
}

PyDoc_STRVAR(told_doc, "told(event, user, account) -> Event\n\nThe event with what another line told of its guess, as join.told_of.");

static PyObject *told(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 3 || !PyTuple_Check(args[0]) || PyTuple_GET_SIZE(args[0]) != 5 || !PyTuple_Check(PyTuple_GET_ITEM(args[0], 1)) ||
        PyTuple_GET_SIZE(PyTuple_GET_ITEM(args[0], 1)) != 10) {
        PyErr_SetString(PyExc_TypeError, "an event with a fact, a user and an account");
        return NULL;
    }
    PyObject *before = PyTuple_GET_ITEM(args[0], 1);
    PyTupleObject *fact = new_tuple((PyObject *)Py_TYPE(before), 10), *event = fact ? new_tuple((PyObject *)Py_TYPE(args[0]), 5) : NULL;
    if (fact)
        for (Py_ssize_t i = 0; i < 10; i++) fact->ob_item[i] = Py_NewRef(i == 3 ? args[1] : i == 6 ? args[2] : PyTuple_GET_ITEM(before, i));
    if (!event) {
        Py_XDECREF(fact);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < 5; i++) event->ob_item[i] = i == 1 ? (PyObject *)fact : Py_NewRef(PyTuple_GET_ITEM(args[0], i));
    return (PyObject *)event;
}

static PyMethodDef functions[] = {{"session_id", session_id, METH_O, session_doc}, {"told", (PyCFunction)(void (*)(void))told, METH_FASTCALL, told_doc}, {NULL, NULL, 0, NULL}};
static PyMethodDef methods[] = {{"scan", (PyCFunction)scan, METH_O, scan_doc}, {NULL, NULL, 0, NULL}};
static PyGetSetDef getters[] = {{"understood", (getter)get_understood, NULL, "Lines that are known to say nothing more.", NULL}, {"lines", (getter)get_lines, NULL, "Lines that were read.", NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {{Py_tp_init, Scanner_init}, {Py_tp_traverse, Scanner_traverse}, {Py_tp_clear, Scanner_clear},
                              {Py_tp_dealloc, Scanner_dealloc}, {Py_tp_methods, methods}, {Py_tp_getset, getters},
                              {Py_tp_doc, "The loop of Reader.read."}, {0, NULL}};
static PyType_Spec spec = {"monzen.parse._scan.Scanner", sizeof(Scanner), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_scan", "The hot path of reader.py in C.", -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__scan(void) {
    PyObject *m = PyModule_Create(&module);
    PyObject *type = m ? PyType_FromSpec(&spec) : NULL;
    for (int i = 0; i < 128; i++)
        if (!small[i] && !(small[i] = PyLong_FromLong(i))) Py_CLEAR(type);
    if (!type || PyModule_AddObject(m, "Scanner", type) < 0) {
        Py_XDECREF(type);
        Py_XDECREF(m);
        return NULL;
    }
    return m;
}
