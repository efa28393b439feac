/* The hot path of reader.py in C: the same loop, the same answers (tests/parse/test_scan_c.py), several times as fast.
 *
 * It cuts a block into lines, a line into stamp, head (host, program, process) and message, looks the head
 * and the message up in the dicts that reader.py keeps, and asks reader.py about what it has not seen before. Which messages of a
 * program can say something is told by literals, as in Python. Of the formats it knows only the three lines that a mail server under
 * attack writes most (Postfix: AUTH failed, end of a session; Dovecot: auth knows better); of these it reads the plain form, exactly as the
 * patterns in postfix.py and dovecot.py do, and leaves every other to them. Bounded: it reads between `start` and `end` of the block only, and
 * keeps at most HEADS names. Without it, or without a compiler to build it, reader.py does all this itself.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define HEADS 2048      /* names remembered; a power of two, in groups of PROBES */
#define PROBES 8
#define FAMILIES 16      /* tuples of literals, one a family */
#define REMEMBERED 2048  /* facts a program, as in program.py */
#define LONGEST 65536    /* a longer line is not read, as in line.py */
#define LONGEST_HEAD 96 /* a longer one is asked about each time */

/* Literals and the pairs of bytes that they begin with: one look at each pair of a text tells where one may stand. */
typedef struct {
    PyObject *literals; /* a tuple of bytes, each of two or more; owned by the heads that have it, compared by identity */
    unsigned char pairs[8192];
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

typedef struct {
    PyObject_HEAD
    PyObject *on_head, *on_message, *on_odd, *on_doubt, *minutes, *iso_minutes, *zones, *on_stamp;
    double minute; /* the last one looked up, and its text */
    char minute_text[16];
    int minute_length;
    int kind_disconnect;
    PyObject *addresses, *reasons, *event, *fact, *sasl, *summary, *detail; /* what postfix.py and dovecot.py have; the last three: a Fact as a model */
    Py_ssize_t understood, lines;
    Head *heads;
    Needles *needles; /* the first of suspects; used counts */
    int families;
} Scanner;

static void forget(Head *h) {
    Py_CLEAR(h->program); Py_CLEAR(h->facts); Py_CLEAR(h->service); Py_CLEAR(h->quiet);
}

static void thread(Needles *n, PyObject *literals) {
    memset(n->pairs, 0, sizeof n->pairs);
    n->literals = literals;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(literals); i++) {
        const unsigned char *l = (const unsigned char *)PyBytes_AS_STRING(PyTuple_GET_ITEM(literals, i));
        unsigned pair = (unsigned)l[0] << 8 | l[1];
        n->pairs[pair >> 3] |= (unsigned char)(1u << (pair & 7));
    }
}

/* Which of the literals, the first in their order, is in the text; -1 for none. */
static Py_ssize_t which(const Needles *n, const char *text, Py_ssize_t length) {
    const unsigned char *p = (const unsigned char *)text, *end = p + length;
    Py_ssize_t found = PyTuple_GET_SIZE(n->literals);
    for (; p + 1 < end; p++) {
        unsigned pair = (unsigned)p[0] << 8 | p[1];
        if (!(n->pairs[pair >> 3] >> (pair & 7) & 1)) continue;
        for (Py_ssize_t i = 0; i < found; i++) {
            PyObject *l = PyTuple_GET_ITEM(n->literals, i);
            Py_ssize_t size = PyBytes_GET_SIZE(l);
            if (end - p >= size && !memcmp(p, PyBytes_AS_STRING(l), (size_t)size)) {
                found = i;
                if (!i) return 0;
                break;
            }
        }
    }
    return found < PyTuple_GET_SIZE(n->literals) ? found : -1;
}

static int begins(const char *text, Py_ssize_t length, PyObject *beginnings) {
    Py_ssize_t n = PyTuple_GET_SIZE(beginnings);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *b = PyTuple_GET_ITEM(beginnings, i);
        Py_ssize_t size = PyBytes_GET_SIZE(b);
        if (size <= length && !memcmp(text, PyBytes_AS_STRING(b), (size_t)size)) return 1;
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

/* ---- the three commonest lines; NULL without an exception: not of the plain form */

static int is_word(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static int is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static int is_hex(unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); }

static const char *after(const char *p, const char *end, const char *word) {
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && !memcmp(p, word, n) ? p + n : NULL;
}

/* A Fact like `model`, but for what is given. Steals client, user and detail; each of them may be NULL with an exception set. */
static PyObject *fact_like(Scanner *self, PyObject *model, long kind, long weight, PyObject *client, PyObject *user, PyObject *service, long attempts,
                           PyObject *account, PyObject *detail) {
    PyTypeObject *type = (PyTypeObject *)self->fact;
    PyObject *fact = client && user && detail ? type->tp_alloc(type, 10) : NULL;
    if (!fact) {
        Py_XDECREF(client); Py_XDECREF(user); Py_XDECREF(detail);
        return NULL;
    }
    const unsigned char *a = (const unsigned char *)PyBytes_AS_STRING(client);
    Py_ssize_t n = PyBytes_GET_SIZE(client);
    static const unsigned char loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (!n || (n == 4 && (a[0] == 127 || (a[0] == 172 && !a[2] && a[3] == 1))) || (n == 16 && !memcmp(a, loopback, 16))) weight = 0; /* address.is_local */
    PyTuple_SET_ITEM(fact, 0, PyLong_FromLong(kind));
    PyTuple_SET_ITEM(fact, 1, PyLong_FromLong(weight));
    PyTuple_SET_ITEM(fact, 2, client);
    PyTuple_SET_ITEM(fact, 3, user);
    PyTuple_SET_ITEM(fact, 4, Py_NewRef(service));
    PyTuple_SET_ITEM(fact, 5, PyLong_FromLong(attempts));
    PyTuple_SET_ITEM(fact, 6, Py_NewRef(account));
    PyTuple_SET_ITEM(fact, 7, detail);
    PyTuple_SET_ITEM(fact, 8, Py_NewRef(PyTuple_GET_ITEM(model, 8)));
    PyTuple_SET_ITEM(fact, 9, Py_NewRef(PyTuple_GET_ITEM(model, 9)));
    return fact; /* ints up to 256 are kept by Python and cannot fail */
}

static PyObject *address_of(Scanner *self, const char *from, const char *to) {
    PyObject *text = PyBytes_FromStringAndSize(from, to - from), *packed = text ? PyObject_GetItem(self->addresses, text) : NULL;
    Py_XDECREF(text);
    if (packed && !PyBytes_Check(packed)) {
        PyErr_SetString(PyExc_TypeError, "an address is bytes");
        Py_CLEAR(packed);
    }
    return packed;
}

static PyObject *cut_text(const char *from, const char *to) { /* as `[:255] or None` */
    if (to - from > 255) to = from + 255;
    return to > from ? PyBytes_FromStringAndSize(from, to - from) : Py_NewRef(Py_None);
}

/* `name[address]` or `name[address]:port`: what follows it, or NULL. */
static const char *peer(const char *p, const char *end, const char **from, const char **to) {
    while (p < end && *p != '[' && *p != ']' && !is_space((unsigned char)*p)) p++;
    if (p >= end || *p != '[') return NULL;
    *from = ++p;
    while (p < end && *p != '[' && *p != ']' && !is_space((unsigned char)*p)) p++;
    if (p >= end || *p != ']') return NULL;
    *to = p++;
    if (end - p > 1 && *p == ':' && p[1] >= '0' && p[1] <= '9') {
        p++;
        while (p < end && *p >= '0' && *p <= '9') p++;
    }
    return p;
}

/* warning: name[address]: SASL LOGIN authentication failed: reason, sasl_username=user */
static PyObject *sasl(Scanner *self, PyObject *service, const char *p, const char *end) {
    const char *from, *to, *mech, *mech_end;
    if (!(p = after(p, end, "warning: ")) || !(p = peer(p, end, &from, &to)) || !(p = after(p, end, ": SASL "))) return NULL;
    mech = p;
    while (p < end && (is_word((unsigned char)*p) || *p == '-')) p++;
    mech_end = p;
    if (p == mech || !(p = after(p, end, " authentication failed"))) return NULL;
    if (p < end && *p != ':') return NULL;
    if (p < end) p++;
    if (p < end && is_space((unsigned char)*p)) p++;
    const char *reason_end = memmem(p, (size_t)(end - p), ", sasl_username=", 16);
    PyObject *user;
    if (reason_end) {
        const char *name = reason_end + 16;
        user = end - name == 13 && !memcmp(name, "(unavailable)", 13) ? Py_NewRef(Py_None) : cut_text(name, end);
    } else {
        reason_end = end;
        user = Py_NewRef(Py_None);
    }
    PyObject *reason = PyBytes_FromStringAndSize(p, reason_end - p), *says = reason ? PyObject_GetItem(self->reasons, reason) : NULL;
    Py_XDECREF(reason);
    long kind, weight;
    if (!says || !PyArg_ParseTuple(says, "ll", &kind, &weight)) {
        Py_XDECREF(says); Py_XDECREF(user);
        return NULL;
    }
    Py_DECREF(says);
    return fact_like(self, self->sasl, kind, weight, address_of(self, from, to), user, service, 1, Py_None, PyBytes_FromStringAndSize(mech, mech_end - mech));
}

/* disconnect from name[address] ehlo=1 auth=0/2 ...: only where all failed or none did */
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
        while (p < end && ((*p >= '0' && *p <= '9') || *p == '/')) p++;
        if (p == value) break;
        if (p - value < 18 && value - word == 5 && !memcmp(word, "auth=", 5)) {
            if (auth) return NULL;
            auth = value;
        }
    }
    if (!auth) return NULL;
    long good = 0, all = 0;
    int digits = 0;
    while (auth < end && *auth >= '0' && *auth <= '9' && digits < 6) good = good * 10 + (*auth++ - '0'), digits++;
    if (!digits || auth >= end || *auth != '/' || good) return NULL;
    auth++;
    for (digits = 0; auth < end && *auth >= '0' && *auth <= '9' && digits < 6; digits++) all = all * 10 + (*auth++ - '0');
    if (!digits || all < 1 || (auth < end && *auth != ' ')) return NULL;
    return fact_like(self, self->summary, PyLong_AsLong(PyTuple_GET_ITEM(self->summary, 0)), PyLong_AsLong(PyTuple_GET_ITEM(self->summary, 1)),
                     address_of(self, from, to), Py_NewRef(Py_None), service, all < 100 ? all : 100, Py_None, Py_NewRef(Py_None));
}

/* auth-worker(1): conn unix:auth-worker (pid=5,uid=109): auth-worker<5>: sql(user,address,<session>): Password mismatch */
static PyObject *detail(Scanner *self, const char *p, const char *end) {
    const char *q;
    if (!(p = after(p, end, "auth"))) return NULL;
    if ((q = after(p, end, "-worker("))) {
        while (q < end && *q >= '0' && *q <= '9') q++;
        if (!(p = after(q, end, "): "))) return NULL;
        if ((q = after(p, end, "conn unix:auth-worker ("))) {
            q = memchr(q, ')', (size_t)(end - q));
            if (!q || !(q = after(q, end, "): auth-worker<"))) return NULL;
            while (q < end && *q >= '0' && *q <= '9') q++;
            if (!(p = after(q, end, ">: "))) return NULL;
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
        for (secret_end = secret; secret_end < end && ((*secret_end >= '0' && *secret_end <= '9') || (*secret_end >= 'a' && *secret_end <= 'f')); secret_end++) {}
        if (secret_end == secret || end - secret_end != 1 || *secret_end != ')') return NULL;
    }
    return fact_like(self, self->detail, PyLong_AsLong(PyTuple_GET_ITEM(self->detail, 0)), PyLong_AsLong(PyTuple_GET_ITEM(self->detail, 1)),
                     address_of(self, from, to), cut_text(user, user_end), PyTuple_GET_ITEM(self->detail, 4), 1, account,
                     secret ? PyBytes_FromStringAndSize(secret, secret_end - secret) : Py_NewRef(Py_None));
}

/* The entry of a head: found, or asked for. NULL with an exception set, or with none where it could not be kept (*once is filled). */
static Head *head_of(Scanner *self, const char *head, Py_ssize_t length, Head *once) {
    const char *base_end = head + length;
    if (length > 2 && base_end[-1] == ']') { /* without the pid */
        const char *p = base_end - 2;
        while (p > head && *p >= '0' && *p <= '9') p--;
        if (*p == '[' && p < base_end - 2 && p > head) base_end = p;
    }
    Py_ssize_t base = base_end - head;
    Head *h = once;
    int keep = base <= LONGEST_HEAD;
    if (keep) {
        uint64_t hash = (uint64_t)base, word; /* eight bytes at a time, the last ones twice */
        for (Py_ssize_t i = 0; i + 8 <= base; i += 8) {
            memcpy(&word, head + i, 8);
            hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
            hash ^= hash >> 32;
        }
        word = 0;
        memcpy(&word, base >= 8 ? base_end - 8 : head, base >= 8 ? 8 : (size_t)base);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        Head *slot = &self->heads[(hash >> 40) & (HEADS - PROBES)], *free = NULL;
        for (int i = 0; i < PROBES; i++) {
            if (!slot[i].program) {
                if (!free) free = &slot[i];
            } else if (slot[i].length == base && !memcmp(slot[i].head, head, (size_t)base)) return &slot[i];
        }
        h = free ? free : &slot[(hash >> 32) & (PROBES - 1)];
    }
    PyObject *answer = PyObject_CallFunction(self->on_head, "y#", head, length); /* (program, facts, quiet, literals, cut, id) */
    if (!answer) return NULL;
    Head fresh;
    memset(&fresh, 0, sizeof fresh);
    PyObject *literals;
    if (!PyArg_ParseTuple(answer, "OOOO!O!ii", &fresh.program, &fresh.facts, &fresh.service, &PyTuple_Type, &fresh.quiet, &PyTuple_Type, &literals, &fresh.cut, &fresh.id)) {
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
        char digits[10];
        memcpy(digits, s, 9);
        digits[9] = 0;
        for (int i = 3; i < 9; i++) if (digits[i] < '0' || digits[i] > '9') goto other;
        double seconds = PyOS_string_to_double(digits, NULL, NULL);
        if (seconds == -1.0 && PyErr_Occurred()) return -1;
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
    PyTypeObject *type = (PyTypeObject *)self->event;
    PyObject *event = type->tp_alloc(type, 5);
    if (!event) return -1;
    PyObject *when = PyFloat_FromDouble(at), *head = PyBytes_FromStringAndSize(line + stamp, colon - line - stamp);
    PyObject *text = PyBytes_FromStringAndSize(line, end - line);
    PyTuple_SET_ITEM(event, 0, when);
    PyTuple_SET_ITEM(event, 1, Py_NewRef(fact));
    PyTuple_SET_ITEM(event, 2, Py_NewRef(PyTuple_GET_ITEM(fact, 5)));
    PyTuple_SET_ITEM(event, 3, text);
    PyTuple_SET_ITEM(event, 4, head);
    int bad = !when || !head || !text || PyList_Append(out, event) < 0;
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
    const char *from = message, *to = end;
    if (h->cut) { /* up to and with the last `lip=` */
        const char *lip = last_in(message, end, ", lip=", 6);
        if (lip && lip > message) {
            lip = memchr(lip + 6, ',', (size_t)(end - lip - 6));
            if (lip && !memmem(lip, (size_t)(end - lip), "rip=", 4)) to = lip; /* else that `lip=` is the client's own word */
        }
    } else if (h->id) { /* what follows the queue id */
        const char *p = message;
        while (p < end && ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))) p++;
        if (end - p > 9 && p > message && !memcmp(p, ": client=", 9)) from = p + 2;
    }
    /* A failed login seldom says the same twice (the name): read, not looked up. */
    PyObject *fact = h->id && from == message ? sasl(self, h->service, message, end) : NULL;
    if (!fact && PyErr_Occurred()) return -1;
    PyObject *text = fact ? Py_NewRef(Py_None) : PyBytes_FromStringAndSize(from, to - from);
    if (!text) return -1;
    if (!fact) {
        fact = PyDict_GetItemWithError(h->facts, text);
        Py_XINCREF(fact);
    }
    if (!fact) {
        if (PyErr_Occurred()) {
            Py_DECREF(text);
            return -1;
        }
        int keep = 1;
        if (h->id && from == message) {
            fact = summary(self, h->service, message, end);
        } else if (h->cut) {
            fact = detail(self, message, end);
            keep = 0;
        }
        if (fact && keep && to - from < 512) {
            if (PyDict_GET_SIZE(h->facts) >= REMEMBERED) PyDict_Clear(h->facts);
            if (PyDict_SetItem(h->facts, text, fact) < 0) Py_CLEAR(fact);
        }
        Py_ssize_t first = fact ? 0 : PyErr_Occurred() ? -2 : which(h->needles, message, size);
        if (!fact) fact = first == -2 ? NULL : first < 0 ? Py_NewRef(Py_None) : PyObject_CallFunction(self->on_message, "Oy#On", h->program, message, size, text, first);
        if (!fact) {
            Py_DECREF(text);
            return -1;
        }
    }
    Py_DECREF(text);
    int bad = 0;
    if (fact == Py_None) {
        if (which(&self->needles[0], line, length) >= 0) {
            PyObject *done = PyObject_CallFunction(self->on_doubt, "y#Oy#", line, length, h->program, message, size);
            bad = done ? 0 : -1;
            Py_XDECREF(done);
        }
    } else if (PyLong_AsLong(PyTuple_GET_ITEM(fact, 0)) == self->kind_disconnect) self->understood++;
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
        if (one_line(self, out, block, begin, line, end, &once) < 0) {
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

/* The type of Fact, for the check of its models: the second of the fifth argument, or tuple where there is none. */
static PyTypeObject *fact_type(PyObject *args) {
    PyObject *models = PyTuple_GET_SIZE(args) > 4 ? PyTuple_GET_ITEM(args, 4) : NULL;
    PyObject *first = models && PyTuple_Check(models) && PyTuple_GET_SIZE(models) > 1 ? PyTuple_GET_ITEM(models, 1) : NULL;
    return first && PyType_Check(first) && PyType_IsSubtype((PyTypeObject *)first, &PyTuple_Type) ? (PyTypeObject *)first : &PyTuple_Type;
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
    PyObject *on_head, *on_message, *on_odd, *on_doubt, *on_stamp, *minutes, *iso_minutes, *zones, *suspects;
    PyObject *addresses, *reasons, *event, *fact, *sasl_model, *summary_model, *detail_model;
    if (!PyArg_ParseTuple(args, "(OOOOO)(O!O!O)(OO)O!(O!O!O!O!O!)i", &on_head, &on_message, &on_odd, &on_doubt, &on_stamp, &PyDict_Type, &minutes,
                          &PyDict_Type, &iso_minutes, &zones, &addresses, &reasons, &PyTuple_Type, &suspects, &PyType_Type, &event, &PyType_Type, &fact, fact_type(args),
                          &sasl_model, fact_type(args), &summary_model, fact_type(args), &detail_model, &self->kind_disconnect))
        return -1;
    self->heads = PyMem_Calloc(HEADS, sizeof(Head));
    self->needles = PyMem_Calloc(FAMILIES, sizeof(Needles));
    if (!self->heads || !self->needles) {
        PyErr_NoMemory();
        return -1;
    }
    self->on_head = Py_NewRef(on_head); self->on_message = Py_NewRef(on_message); self->on_odd = Py_NewRef(on_odd);
    self->on_doubt = Py_NewRef(on_doubt); self->on_stamp = Py_NewRef(on_stamp); self->minutes = Py_NewRef(minutes);
    self->iso_minutes = Py_NewRef(iso_minutes); self->zones = Py_NewRef(zones);
    self->addresses = Py_NewRef(addresses); self->reasons = Py_NewRef(reasons); self->event = Py_NewRef(event); self->fact = Py_NewRef(fact);
    self->sasl = Py_NewRef(sasl_model); self->summary = Py_NewRef(summary_model); self->detail = Py_NewRef(detail_model);
    if (fact_type(args) != (PyTypeObject *)fact || !PyType_IsSubtype((PyTypeObject *)event, &PyTuple_Type) || PyTuple_GET_SIZE(sasl_model) != 10 || PyTuple_GET_SIZE(summary_model) != 10 || PyTuple_GET_SIZE(detail_model) != 10) {
        PyErr_SetString(PyExc_TypeError, "a Fact has ten fields");
        return -1;
    }
    return needles_of(self, suspects) ? 0 : -1;
}

static int Scanner_traverse(Scanner *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->on_head); Py_VISIT(self->on_message); Py_VISIT(self->on_odd); Py_VISIT(self->on_doubt); Py_VISIT(self->on_stamp);
    Py_VISIT(self->minutes); Py_VISIT(self->iso_minutes); Py_VISIT(self->zones); Py_VISIT(self->addresses); Py_VISIT(self->reasons);
    Py_VISIT(self->event); Py_VISIT(self->fact); Py_VISIT(self->sasl); Py_VISIT(self->summary); Py_VISIT(self->detail);
    for (int i = 0; self->heads && i < HEADS; i++) {
        Py_VISIT(self->heads[i].program); Py_VISIT(self->heads[i].facts); Py_VISIT(self->heads[i].service);
        Py_VISIT(self->heads[i].quiet);
    }
    for (int i = 0; i < self->families; i++) Py_VISIT(self->needles[i].literals);
    return 0;
}

static int Scanner_clear(Scanner *self) {
    Py_CLEAR(self->on_head); Py_CLEAR(self->on_message); Py_CLEAR(self->on_odd); Py_CLEAR(self->on_doubt); Py_CLEAR(self->on_stamp);
    Py_CLEAR(self->minutes); Py_CLEAR(self->iso_minutes); Py_CLEAR(self->zones); Py_CLEAR(self->addresses); Py_CLEAR(self->reasons);
    Py_CLEAR(self->event); Py_CLEAR(self->fact); Py_CLEAR(self->sasl); Py_CLEAR(self->summary); Py_CLEAR(self->detail);
    for (int i = 0; self->heads && i < HEADS; i++) forget(&self->heads[i]);
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
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *get_understood(Scanner *self, void *unused) { (void)unused; return PyLong_FromSsize_t(self->understood); }

static PyObject *get_lines(Scanner *self, void *unused) { (void)unused; return PyLong_FromSsize_t(self->lines); }

static PyMethodDef methods[] = {{"scan", (PyCFunction)scan, METH_O, scan_doc}, {NULL, NULL, 0, NULL}};
static PyGetSetDef getters[] = {{"understood", (getter)get_understood, NULL, "Lines that are known to say nothing more.", NULL}, {"lines", (getter)get_lines, NULL, "Lines that were read.", NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {{Py_tp_init, Scanner_init}, {Py_tp_traverse, Scanner_traverse}, {Py_tp_clear, Scanner_clear},
                              {Py_tp_dealloc, Scanner_dealloc}, {Py_tp_methods, methods}, {Py_tp_getset, getters},
                              {Py_tp_doc, "The loop of Reader.read."}, {0, NULL}};
static PyType_Spec spec = {"monzen.parse._scan.Scanner", sizeof(Scanner), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_scan", "The hot path of reader.py in C.", -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__scan(void) {
    PyObject *m = PyModule_Create(&module);
    PyObject *type = m ? PyType_FromSpec(&spec) : NULL;
    if (!type || PyModule_AddObject(m, "Scanner", type) < 0) {
        Py_XDECREF(type);
        Py_XDECREF(m);
        return NULL;
    }
    return m;
}
