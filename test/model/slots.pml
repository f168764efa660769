/*
 * The life of a slot: taken, submitted, claimed or stolen, recalled, revoked, started, expired, completed, taken over,
 * flushed, released, and reclaimed from a shard that exits at any step. docs/model.md names the function of each step.
 *
 * Every access to a word that another thread may change is one step. Accesses share a step only where one atomic instruction
 * makes them, or where no other thread can tell the difference; a comment says why. An exit is possible before every step
 * of a shard that changes memory: an exit before a load leaves the same memory. Idle threads block until there is something to
 * do: doorbells.pml proves that they are woken.
 *
 * HTTPS     HTTP threads; with 2, each has one of the slots, and the control thread is a third one
 * REQUESTS  for each HTTP thread
 * EXITS     how many times shards end on their own, at any step; once it is always shard 0, since they are alike
 * CAPACITY  entries of each ring; with 1, one stale entry makes it full
 * GIVE_UPS  how many requests may be late or lose their client, for each HTTP thread
 * KINDS     1: submission rings; 2: bound rings too
 * HTTP_EXITS how many times HTTP thread 0 ends, at any step; needs HTTPS=2
 * SPAWN     1: shard 0 has still to become ready, as has every thread that replaces one; 0: all threads start ready
 * The other names in #ifdef are the mistakes that docs/model.md lists; each must make Spin fail.
 */
#ifndef HTTPS
#define HTTPS 1
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifndef EXITS
#define EXITS 1
#endif
#ifndef GIVE_UPS
#define GIVE_UPS REQUESTS
#endif
#ifndef KINDS
#define KINDS 1
#endif
#ifndef HTTP_EXITS
#define HTTP_EXITS 0
#endif
#ifndef SPAWN
#define SPAWN 0
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#define SHARDS 2
#define SLOTS 2
#define LIMIT 1
#define NONCES (HTTPS * REQUESTS + 1)

/* Owner words. */
#define FREE 0
#define HTTP 1
#define WAITS(kind, s) (2 + 2 * (kind) + (s)) /* SUBMITTED(s) is kind 0, BOUND(s) kind 1 */
#define IS_WAITING(o) ((o) >= 2 && (o) <= 5)
#define CLAIMED(s) (6 + (s))
#define IS_CLAIMED(o) ((o) == 6 || (o) == 7)
#define STARTED(s) (8 + (s))
#define COMPLETED(s) (10 + (s))

/* States of a shard, as the control thread sees them; `loading` and `draining` allow no other step (life.pml has them). */
#define SPAWNING 0
#define READY 1
#define ENDED 2
#define CLOSED 3

/* A ring for each HTTP thread, shard and kind; a completion ring for each HTTP thread and shard. */
#define RING(h, s, kind) (((h) * SHARDS + (s)) * KINDS + (kind))
#define PAIR(h, s) ((h) * SHARDS + (s))
#define HOME(x) ((x) % HTTPS)
#define HAS_ENTRIES(r) (head[r] != tail[r])
#define HAS_ROOM(r) (tail[r] - head[r] < CAPACITY)
#define HAS_COMPLETIONS(h, s) (completionHead[PAIR(h, s)] != completionTail[PAIR(h, s)])

/* ── shared memory ─────────────────────────────────────────────────────────────────────────────────────────────────── */
byte owner[SLOTS];
bool started[SLOTS]; /* the word that says when the handler was called says something */
byte request[SLOTS];  /* the nonce that the HTTP thread wrote */
byte response[SLOTS]; /* the nonce that the shard wrote */
bool expired[SLOTS];
byte head[HTTPS * SHARDS * KINDS];
byte tail[HTTPS * SHARDS * KINDS];
byte entry[HTTPS * SHARDS * KINDS * CAPACITY];
byte completionHead[HTTPS * SHARDS];
byte completionTail[HTTPS * SHARDS];
byte completionEntry[HTTPS * SHARDS * SLOTS]; /* an entry for every slot: it is never full */
byte permits[SHARDS];

/* ── messages and events ───────────────────────────────────────────────────────────────────────────────────────────── */
chan abandon[SHARDS] = [2] of { byte, byte };
bool saidReady[SHARDS];
bool go[SHARDS];
bool closeSent[SHARDS];
bool exited[SHARDS]; /* the worker's exit event */
bool spawn[SHARDS];
byte state[SHARDS];
bool toReclaim[HTTPS * SHARDS]; /* the HTTP thread was told of the exit and has not taken back yet */
bool done[HTTPS];
bool closing;

/* ── what must hold; no thread reads these ─────────────────────────────────────────────────────────────────────────── */
byte exits = EXITS;
byte responses[NONCES];
byte runs[NONCES];
#if HTTP_EXITS > 0
bool httpEnds; /* HTTP thread 0 ends before its next step */
#endif
bool shown[SHARDS]; /* of the mistakes only: what a thread shows before its exit event */

inline respond(n) {
  responses[n]++;
  assert(responses[n] == 1)
}

/* ── HTTP thread ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* release: HTTP → FREE. What the HTTP thread notes of the slot is its own, so it shares the step. */
inline release(x) {
  assert(owner[x] == HTTP);
  owner[x] = FREE;
  nonce[x] = 0;
  answered[x] = false;
  sending[x] = false
}

inline refuse(x) {
  d_step {
    respond(nonce[x]);
    release(x)
  }
}

/* Moves a head forward, never back. Any thread. The loop of load and exchange ends with its one successful exchange. */
inline advanceHead(r, to) {
  if
  :: head[r] < to -> head[r] = to
  :: else
  fi
}

/* slotOldest: passes stale entries, to make room. */
inline passStale(r, submitted) {
  position = head[r];
  do
  :: position != tail[r] ->
    y = entry[(r) * CAPACITY + position % CAPACITY];
    if
    :: owner[y] == submitted -> break
    :: else -> position++
    fi
  :: else -> break
  od;
  atomic {
    advanceHead(r, position);
    position = 0;
    y = 0
  }
}

/*
 * sweep: takes all entries out and puts back those whose slots wait in this ring, each slot once. The exchange on the head succeeds
 * only if the entries were read before anybody moved it, and only this thread writes entries: one step. What is put back is
 * written over entries that were looked at.
 */
inline sweep(r, submitted) {
  atomic {
    position = head[r];
    last = tail[r];
    head[r] = tail[r]
  };
  do
  :: position != last ->
    y = entry[(r) * CAPACITY + position % CAPACITY];
    position++;
    if
    :: y != kept && owner[y] == submitted ->
      kept = y;
      publish(r, y)
    :: else
    fi
  :: else -> break
  od;
  atomic {
    position = 0;
    last = 0;
    kept = SLOTS;
    y = 0
  }
}

/* Only this thread publishes in the ring. Two steps: a claimer that was held up may read the entry that is written over. */
inline publish(r, x) {
  assert(HAS_ROOM(r));
  entry[(r) * CAPACITY + tail[r] % CAPACITY] = x;
  tail[r] = tail[r] + 1
}

/*
 * submit: HTTP → SUBMITTED(s) or BOUND(s), to any shard that is ready; a 503 where none is, or its ring is full. Room only
 * grows while this thread publishes nothing, so the look at the head and the store of the owner word are one step.
 */
inline offer(x) {
  kind = 0;
  if
  :: state[0] == READY -> s = 0
  :: state[1] == READY -> s = 1
  :: state[0] != READY && state[1] != READY -> s = SHARDS
  fi;
#if KINDS == 2
  if
  :: true
  :: kind = 1
  fi;
#endif
  if
  :: s == SHARDS -> has_room = false
#ifdef FAULT_4
  :: else -> owner[x] = WAITS(kind, s); has_room = true
#elif defined(PUBLISH_BEFORE_OWNER)
  :: s < SHARDS -> has_room = HAS_ROOM(RING(h, s, kind))
#else
  :: s < SHARDS && HAS_ROOM(RING(h, s, kind)) -> owner[x] = WAITS(kind, s); has_room = true
  :: s < SHARDS && !HAS_ROOM(RING(h, s, kind)) -> has_room = false
#endif
  fi
}

/* The rest of submit: the entry and the tail; or more room, if stale entries take it. */
inline deliver(x) {
  if
  :: s < SHARDS && !has_room ->
    if
    :: passStale(RING(h, s, kind), WAITS(kind, s))
    :: sweep(RING(h, s, kind), WAITS(kind, s))
    fi;
    atomic {
      if
      :: HAS_ROOM(RING(h, s, kind)) -> owner[x] = WAITS(kind, s); has_room = true
      :: else
      fi
    }
  :: else
  fi;
  if
#ifdef FAULT_4
  :: has_room && !HAS_ROOM(RING(h, s, kind)) ->
    owner[x] = HTTP;
    refuse(x)
  :: has_room && HAS_ROOM(RING(h, s, kind)) -> publish(RING(h, s, kind), x)
#else
  :: has_room -> publish(RING(h, s, kind), x)
#endif
  :: !has_room -> refuse(x)
  fi;
#ifdef PUBLISH_BEFORE_OWNER
  if
  :: has_room -> owner[x] = WAITS(kind, s)
  :: else
  fi;
#endif
  atomic {
    s = 0;
    kind = 0;
    has_room = false
  }
}

/*
 * take: FREE → HTTP, and the record is written. A stale entry may name the slot: the exchange of whoever meets it fails with
 * either word. No other thread may read the record before the submission.
 */
inline admit(x) {
  atomic {
    assert(owner[x] == FREE);
    owner[x] = HTTP;
    nonce[x] = h * REQUESTS + next;
    next++;
    request[x] = nonce[x];
    response[x] = 0;
    expired[x] = false;
    started[x] = false;
    offer(x)
  };
  deliver(x)
}

/*
 * recall: SUBMITTED or BOUND → HTTP. The load before the exchange only spares an exchange that fails: no other thread changes
 * a word to a waiting one.
 */
inline recall(x) {
#ifdef RECALL_BY_STORE
  won = IS_WAITING(owner[x]);
  if
  :: won -> owner[x] = HTTP
  :: else
  fi
#else
  d_step {
    won = IS_WAITING(owner[x]);
    if
    :: won -> owner[x] = HTTP
    :: else
    fi
  }
#endif
}

/* revoke: CLAIMED → HTTP, though the shard still means to start it. */
inline revoke(x) {
#ifdef REVOKE_BY_STORE
  won = IS_CLAIMED(owner[x]);
  if
  :: won -> owner[x] = HTTP
  :: else
  fi
#else
  d_step {
    won = IS_CLAIMED(owner[x]);
    if
    :: won -> owner[x] = HTTP
    :: else
    fi
  }
#endif
}

/*
 * The request is late, or its client is gone: recall it, or revoke it, or answer 504 and tell the shard. A recall that fails would
 * fail later too, so it shares the step of the revocation; the answer is the HTTP thread's own.
 */
inline giveUp(x) {
#if defined(RECALL_BY_STORE) || defined(REVOKE_BY_STORE)
  {
#else
  atomic {
#endif
    given_up++;
    recall(x);
    if
    :: !won -> revoke(x)
    :: else
    fi;
    if
    :: won -> refuse(x)
    :: else ->
      d_step {
        respond(nonce[x]);
        answered[x] = true
      };
#ifdef REUSE_AFTER_TIMEOUT
      d_step {
        owner[x] = HTTP;
        release(x)
      }
#else
      if
      :: owner[x] == STARTED(0) -> abandon[0] ! x, nonce[x]
      :: owner[x] == STARTED(1) -> abandon[1] ! x, nonce[x]
      :: else
      fi
#endif
    fi;
    won = false
  }
}

/* takeOver: COMPLETED(c) → HTTP. No other thread changes the word any more, so the comparison and the store are one step. */
inline takeOver(x, c) {
  atomic {
    if
    :: owner[x] == COMPLETED(c) ->
      owner[x] = HTTP;
      if
      :: answered[x] -> release(x)
      :: !answered[x] && expired[x] -> respond(nonce[x]); release(x)
      :: !answered[x] && !expired[x] ->
        assert(started[x]);
        assert(response[x] == nonce[x]);
        sending[x] = true;
#ifdef RELEASE_BEFORE_FLUSH
        flushing[x] = nonce[x];
        respond(nonce[x]);
        release(x)
#endif
      fi
    :: else
    fi
  }
}

/* poll: only this thread takes from the ring, and what it takes over nobody else changes: one step. */
inline reap(c) {
  atomic {
    y = completionEntry[PAIR(h, c) * SLOTS + completionHead[PAIR(h, c)] % SLOTS];
    completionHead[PAIR(h, c)]++;
    takeOver(y, c);
    y = 0
  }
}

/* The kernel has the bytes: HTTP → FREE. */
inline flush(x) {
  d_step {
#ifdef RELEASE_BEFORE_FLUSH
    assert(response[x] == flushing[x]);
    flushing[x] = 0
#else
    assert(response[x] == nonce[x]);
    respond(nonce[x]);
    release(x)
#endif
  }
}

/* The shard's thread has exited: everything of it in the slots of this HTTP thread, completions first. */
inline takeBack(c) {
#ifndef RECLAIM_WITHOUT_REAP
  do
  :: HAS_COMPLETIONS(h, c) -> reap(c)
  :: else -> break
  od;
#endif
  x = 0;
  do
  :: x < SLOTS && HOME(x) != h -> x++
  :: x < SLOTS && HOME(x) == h ->
    if
#ifndef RECLAIM_WITHOUT_REAP
    :: owner[x] == COMPLETED(c) -> takeOver(x, c)
#endif
    :: owner[x] == CLAIMED(c) || owner[x] == STARTED(c) ->
      /* reclaim: CLAIMED(c) or STARTED(c) → HTTP. */
      d_step {
        assert(owner[x] == CLAIMED(c) || owner[x] == STARTED(c));
        owner[x] = HTTP
      };
      if
      :: answered[x] -> d_step { release(x) }
      :: !answered[x] && started[x] -> refuse(x)
      :: !answered[x] && !started[x] -> atomic { offer(x) };
        deliver(x)
      fi
    :: owner[x] == WAITS(0, c) || owner[x] == WAITS(1, c) ->
      recall(x);
      if
      :: won -> atomic { offer(x) };
        deliver(x)
      :: else
      fi
    :: else
    fi;
    x++
  :: x == SLOTS -> break
  od;
  atomic {
    x = 0;
    won = false;
    toReclaim[PAIR(h, c)] = false
  }
}

/* ── control thread: lives ─────────────────────────────────────────────────────────────────────────────────────────── */

#define IS_RECLAIMED(s) (!toReclaim[PAIR(0, s)] && !toReclaim[PAIR(HTTPS - 1, s)])
#ifdef RECLAIM_BEFORE_EXIT
#define HAS_ENDED(s) (shown[s] || exited[s])
#else
#define HAS_ENDED(s) exited[s]
#endif
#define BECOMES_READY(s) (state[s] == SPAWNING && saidReady[s] && !exited[s])
#define ENDS(s) (HAS_ENDED(s) && (state[s] == SPAWNING || state[s] == READY))
#ifdef RESTART_BEFORE_RECLAIM
#define RESTARTS(s) (state[s] == ENDED && exited[s])
#else
#define RESTARTS(s) (state[s] == ENDED && exited[s] && IS_RECLAIMED(s))
#endif

inline becomeReady(s) {
  d_step {
    saidReady[s] = false;
    state[s] = READY;
    go[s] = true
  }
}

/* The exit event: the channel is emptied, and every HTTP thread is told. */
inline end(s) {
  atomic {
#ifdef FAULT_1
    if
    :: state[s] == READY -> toReclaim[s] = true; shown[s] = true
    :: else
    fi;
#else
    toReclaim[PAIR(0, s)] = true;
    toReclaim[PAIR(HTTPS - 1, s)] = true;
#endif
    state[s] = ENDED;
    saidReady[s] = false;
    do
    :: nempty(abandon[s]) -> abandon[s] ? _, _
    :: empty(abandon[s]) -> break
    od
  }
}

/* Everything is taken back: permits are reset, then the next thread starts. No thread runs, so the order of stores is not seen. */
inline restart(s) {
  atomic {
#ifdef FAULT_1
    if
    :: shown[s] -> permits[s] = LIMIT; shown[s] = false
    :: else
    fi;
#endif
#if !defined(FAULT_1) && !defined(PERMITS_RESET_LATE) && !defined(PERMITS_NOT_RESET)
    permits[s] = LIMIT;
#endif
    exited[s] = false;
    go[s] = false;
    if
    :: closing -> state[s] = CLOSED
    :: else ->
#if SPAWN == 0
      state[s] = READY;
      go[s] = true;
#else
      state[s] = SPAWNING;
#endif
      spawn[s] = true
    fi
  }
#ifdef PERMITS_RESET_LATE
  permits[s] = LIMIT
#endif
}

inline close() {
  d_step {
    closing = true;
    closeSent[0] = true;
    closeSent[1] = true
  }
}

#define ALL_DONE (done[0] && done[HTTPS - 1])

/* What is left when all is over: every request has had its one response, all permits and slots are back. */
inline account() {
  atomic {
    assert(owner[0] == FREE && owner[1] == FREE);
    assert(permits[0] == LIMIT && permits[1] == LIMIT);
    x = 1;
    do
    :: x < NONCES -> assert(responses[x] == 1); x++
    :: else -> break
    od
  }
}

/* With one HTTP thread it is the control thread too, and takes back within the exit event. */
#if HTTPS == 2
#define ALSO_TAKE_BACK(s) skip
#else
#define ALSO_TAKE_BACK(s)                  \
  if                                       \
  :: toReclaim[s] -> takeBack(s)           \
  :: else                                  \
  fi
#endif

#define LIVES                                                                           \
  :: BECOMES_READY(0) -> becomeReady(0)                                                 \
  :: BECOMES_READY(1) -> becomeReady(1)                                                 \
  :: ENDS(0) -> end(0); ALSO_TAKE_BACK(0)                                               \
  :: ENDS(1) -> end(1); ALSO_TAKE_BACK(1)                                               \
  :: RESTARTS(0) -> restart(0)                                                          \
  :: RESTARTS(1) -> restart(1)                                                          \
  :: ALL_DONE && !closing && state[0] == READY && state[1] == READY -> close()          \
  :: state[0] == CLOSED && state[1] == CLOSED -> break

#if HTTPS == 2
proctype control() {
  byte x;

  do
  LIVES
  od;
  account()
}
#endif

/* ── an HTTP thread that ends ──────────────────────────────────────────────────────────────────────────────────────── */

#if HTTP_EXITS > 0
/* Whenever it is scheduled, which is at any step. */
proctype endHttp() {
  byte left = HTTP_EXITS;

  do
  :: left > 0 && !httpEnds && !closing ->
    left--;
    httpEnds = true
  :: closing -> break
  od
}

/* Connections are gone, and requests with them: that is the end of each, whatever becomes of its slot. */
inline loseConnections() {
  atomic {
    x = 0;
    do
    :: x < SLOTS && nonce[x] != 0 && !answered[x] ->
      respond(nonce[x]);
      answered[x] = true;
      sending[x] = false;
      x++
    :: x < SLOTS && (nonce[x] == 0 || answered[x]) -> x++
    :: x == SLOTS -> break
    od;
    x = 0; y = 0; s = 0; kind = 0; position = 0; last = 0; kept = SLOTS;
    won = false;
    has_room = false
  }
}

/* Takes back what no shard has started. Shards go on meanwhile. */
inline takeBackOwn(z) {
  do
  :: owner[z] == FREE -> break
  :: owner[z] == HTTP -> release(z); break
  :: owner[z] == STARTED(0) || owner[z] == STARTED(1) -> break
  :: owner[z] == COMPLETED(0) || owner[z] == COMPLETED(1) ->
    d_step {
      owner[z] = HTTP;
      release(z)
    };
    break
  :: IS_WAITING(owner[z]) ->
    recall(z);
    if
    :: won -> d_step { release(z); won = false }; break
    :: else
    fi
  :: IS_CLAIMED(owner[z]) ->
    revoke(z);
    if
    :: won -> d_step { release(z); won = false }; break
    :: else
    fi
  od
}

/* Empties the completion ring: a slot that was started then may be in it now. */
inline drain(c) {
  do
  :: HAS_COMPLETIONS(h, c) ->
#ifdef DRAIN_WITHOUT_LOOK
    completionHead[PAIR(h, c)]++
#else
    reap(c)
#endif
  :: else -> break
  od
}

/* HttpRecovery, by the control thread, once the thread has exited. What shards have started stays theirs, and nobody waits for it. */
inline recover() {
  loseConnections();
  if
  :: HOME(0) == h -> takeBackOwn(0)
  :: else
  fi;
  if
  :: HOME(1) == h -> takeBackOwn(1)
  :: else
  fi;
  drain(0);
  drain(1)
}
#endif

#define IS_IN_FLIGHT(x) (nonce[x] != 0 && !sending[x] && !answered[x])

proctype http(byte h) {
  byte nonce[SLOTS];
  bool answered[SLOTS]; /* the request is answered; its slot is still with a shard */
  bool sending[SLOTS];
#ifdef RELEASE_BEFORE_FLUSH
  byte flushing[SLOTS];
#endif
  byte next = 1, given_up;
  byte x, y, s, kind, position, last, kept = SLOTS;
  bool won, has_room;

#if HTTP_EXITS > 0
work:
  {
#endif
  do
  :: next <= REQUESTS && HOME(0) == h && nonce[0] == 0 -> admit(0)
  :: next <= REQUESTS && HOME(1) == h && nonce[1] == 0 && (HTTPS == 2 || nonce[0] != 0) -> admit(1)
  :: given_up < GIVE_UPS && IS_IN_FLIGHT(0) -> giveUp(0)
  :: given_up < GIVE_UPS && IS_IN_FLIGHT(1) -> giveUp(1)
  :: HAS_COMPLETIONS(h, 0) -> reap(0)
  :: HAS_COMPLETIONS(h, 1) -> reap(1)
#ifdef RELEASE_BEFORE_FLUSH
  :: flushing[0] != 0 -> flush(0)
  :: flushing[1] != 0 -> flush(1)
#else
  :: sending[0] -> flush(0)
  :: sending[1] -> flush(1)
#endif
#if HTTPS == 2
  :: toReclaim[PAIR(h, 0)] -> takeBack(0)
  :: toReclaim[PAIR(h, 1)] -> takeBack(1)
#endif
  :: next > REQUESTS && nonce[0] == 0 && nonce[1] == 0 && !done[h] -> done[h] = true
#if HTTPS == 1
  LIVES
#else
  :: closing && state[0] == CLOSED && state[1] == CLOSED -> break
#endif
  od
#if HTTP_EXITS > 0
  } unless {
    atomic {
      h == 0 && httpEnds ->
      httpEnds = false
    };
    recover();
    goto work
  }
#endif
#if HTTPS == 1
  ;
  account()
#endif
}

/* ── shard ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The thread may end instead of its next step. */
#define CAN_EXIT (exits > 0 && (EXITS > 1 || me == 0))
#ifdef RECLAIM_BEFORE_EXIT
/* The error is seen first, and the thread may still run. */
#define MAY_EXIT                                               \
  if                                                           \
  :: CAN_EXIT && !shown[me] -> exits--; shown[me] = true      \
  :: shown[me] -> goto exit                                    \
  :: true                                                      \
  fi
#define OR_EXIT :: shown[me] -> goto exit
#else
#define MAY_EXIT                           \
  if                                       \
  :: CAN_EXIT -> exits--; goto exit        \
  :: true                                  \
  fi
#define OR_EXIT :: atomic { CAN_EXIT -> exits--; goto exit }
#endif

/* tryStart, against revoke: CLAIMED(me) → STARTED(me). Only from then on the shard touches the slot. */
inline tryStart() {
#ifdef START_BY_STORE
  has = (owner[x] == CLAIMED(me));
  if
  :: has -> owner[x] = STARTED(me)
  :: else
  fi
#else
  atomic {
    MAY_EXIT;
    if
    :: owner[x] == CLAIMED(me) -> owner[x] = STARTED(me)
    :: else -> has = false
    fi
  }
#endif
}

inline callHandler() {
  atomic {
    MAY_EXIT;
    assert(owner[x] == STARTED(me));
    n = request[x];
    runs[n]++;
    assert(runs[n] == 1)
  }
}

/* It is too late: EXPIRED. Or the word says that the handler was called, and then it is: after an exit in between it was not. */
inline call() {
  if
  ::
    atomic {
      MAY_EXIT;
      assert(owner[x] == STARTED(me));
      expired[x] = true;
      late = true
    }
  ::
#ifdef HANDLER_BEFORE_TIME
    callHandler();
#endif
    atomic {
      MAY_EXIT;
      assert(owner[x] == STARTED(me));
      started[x] = true;
      starts = true
    };
#ifndef HANDLER_BEFORE_TIME
    callHandler()
#endif
  fi
}

/* The slot was revoked: nothing of it is this shard's, and its permit is free. */
inline letGo() {
  atomic {
    MAY_EXIT;
#ifndef PERMIT_KEPT_WITHOUT_START
    permits[me]++;
#endif
    x = 0
  }
}

/*
 * Only this thread publishes in the ring, and only the HTTP thread reads it, the tail first; permits of a shard are changed by its
 * thread, and by nobody else until it has exited: one step.
 */
inline publishCompletion() {
  atomic {
    MAY_EXIT;
    assert(completionTail[PAIR(HOME(x), me)] - completionHead[PAIR(HOME(x), me)] < SLOTS);
    completionEntry[PAIR(HOME(x), me) * SLOTS + completionTail[PAIR(HOME(x), me)] % SLOTS] = x;
    completionTail[PAIR(HOME(x), me)]++;
#ifdef PERMIT_KEPT
    if
    :: !late -> permits[me]++
    :: else
    fi;
#else
    permits[me]++;
#endif
    assert(permits[me] <= LIMIT)
  }
}

/*
 * complete: STARTED(me) → COMPLETED(me), then the permit, then the completion ring. The handler may have settled: the response
 * is written, which no other thread may read before the store of the owner word.
 */
inline complete() {
#ifdef PUBLISH_BEFORE_COMPLETE
  publishCompletion();
#endif
  atomic {
    MAY_EXIT;
    assert(owner[x] == STARTED(me));
    if
    :: starts ->
      assert(request[x] == n);
      response[x] = n
    :: else
    fi;
    owner[x] = COMPLETED(me)
  };
#ifndef PUBLISH_BEFORE_COMPLETE
  publishCompletion();
#endif
  atomic {
    has = false;
    late = false;
    starts = false;
    x = 0;
    n = 0
  }
}

inline runClaimed() {
  call();
  do
  :: true -> break
  ::
    /* abandon: nobody waits for the request any more, and its handler is cut off. */
    atomic {
      starts && nempty(abandon[me]) ->
      abandon[me] ? y, z;
#ifdef ABANDON_WITHOUT_NONCE
      starts = (y != x);
#else
      starts = !(y == x && z == n);
#endif
#ifdef HANDLER_KEEPS_VIEW
      if
      :: !starts -> view = x; seen = n
      :: else
      fi;
#endif
      y = 0;
      z = 0
    }
  od;
  complete()
}

inline serve() {
  tryStart();
  if
  :: has -> runClaimed()
  :: else -> letGo()
  fi
}

/*
 * claim: SUBMITTED(s) or BOUND(s) → CLAIMED(me), at most one slot of the ring, past stale entries. The permit first: it shares
 * the step of the load of the head, as no other thread changes it.
 */
inline claim(r, submitted) {
  atomic {
    MAY_EXIT;
    permits[me] > 0 ->
    permits[me]--;
    position = head[r]
  };
  limit = tail[r];
  do
  :: position != limit && !has ->
    x = entry[(r) * CAPACITY + position % CAPACITY];
#ifdef CLAIM_BY_STORE
    has = (owner[x] == submitted);
    if
    :: has -> owner[x] = CLAIMED(me)
    :: else
    fi;
    position++
#else
    atomic {
      MAY_EXIT;
      if
      :: owner[x] == submitted -> owner[x] = CLAIMED(me); has = true
      :: else
      fi;
      position++
    }
#endif
  :: else -> break
  od;
  atomic {
    MAY_EXIT;
    advanceHead(r, position);
    position = 0;
    limit = 0;
    if
    :: !has ->
#ifndef PERMIT_KEPT_WITHOUT_CLAIM
      permits[me]++;
#endif
      x = 0
    :: else
    fi
  };
  if
  :: has -> serve()
  :: else
  fi
}

#define OTHER (1 - me)

proctype shard(byte me) {
  byte x, y, z, n, position, limit;
#ifdef HANDLER_KEEPS_VIEW
  byte view, seen; /* what a handler that was cut off still looks at */
#endif
  bool has, late, starts;

  if
  :: me >= SPAWN -> goto idle
  :: else
  fi;
spawned:
  if
  ::
    atomic {
      spawn[me] -> spawn[me] = false;
#if SPAWN == 0
      goto idle
#endif
    }
  :: state[me] == CLOSED -> goto over
  fi;
  atomic {
    MAY_EXIT;
    saidReady[me] = true
  };
#ifndef FAULT_1
  if
  :: go[me]
  OR_EXIT
  fi;
#endif
idle:
  do
  :: HAS_ENTRIES(RING(0, me, 0)) -> claim(RING(0, me, 0), WAITS(0, me))
  :: HAS_ENTRIES(RING(0, OTHER, 0)) -> claim(RING(0, OTHER, 0), WAITS(0, OTHER))
#if KINDS == 2
  :: HAS_ENTRIES(RING(0, me, 1)) -> claim(RING(0, me, 1), WAITS(1, me))
#endif
#if HTTPS == 2
  :: HAS_ENTRIES(RING(1, me, 0)) -> claim(RING(1, me, 0), WAITS(0, me))
  :: HAS_ENTRIES(RING(1, OTHER, 0)) -> claim(RING(1, OTHER, 0), WAITS(0, OTHER))
#endif
#ifdef HANDLER_KEEPS_VIEW
  :: seen != 0 -> assert(request[view] == seen); seen = 0
#endif
  :: closeSent[me] ->
    assert(permits[me] == LIMIT);
    goto exit
  OR_EXIT
  od;

exit:
  atomic {
    x = 0; y = 0; z = 0; n = 0; position = 0; limit = 0;
    has = false; late = false; starts = false;
    exited[me] = true;
#ifdef RECLAIM_BEFORE_EXIT
    shown[me] = false;
#endif
    goto spawned
  };
over:
  skip
}

init {
  atomic {
    permits[0] = LIMIT;
    permits[1] = LIMIT;
#if SPAWN > 0
    spawn[0] = true;
#else
    state[0] = READY;
    go[0] = true;
#endif
    state[1] = READY;
    go[1] = true;
    run http(0);
#if HTTPS == 2
    run http(1);
    run control();
#endif
#if HTTP_EXITS > 0
    run endHttp();
#endif
    run shard(0);
    run shard(1)
  }
}
