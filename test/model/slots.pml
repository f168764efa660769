/*
 * The life of a slot: taken, submitted, claimed or stolen, recalled, revoked, started, expired, completed, taken over,
 * flushed, released, and reclaimed from a shard that exits at any step. docs/model.md names the function of each step.
 *
 * Every access to a word that another thread may change is a separate step. Accesses share a step only if a single atomic
 * instruction performs them, or if no other thread can observe the difference; a comment then gives the reason. A shard may exit
 * before every step that changes memory. Exits before a load are left out, because the load changes nothing. Idle threads block
 * until they have work: doorbells.pml proves that they are woken.
 *
 * HTTPS      number of HTTP threads; with 2, each owns one of the slots, and the control thread is a separate thread
 * REQUESTS   requests per HTTP thread
 * EXITS      how many times shards exit by themselves, at any step; with 1, only shard 0 exits, because the shards are alike
 * CAPACITY   entries per ring; with 1, a single stale entry fills the ring
 * GIVE_UPS   how many requests per HTTP thread may time out or lose their client
 * KINDS      1: only submission rings; 2: bound rings as well
 * HTTP_EXITS how many times HTTP thread 0 exits, at any step; needs HTTPS=2
 * SPAWN      1: shard 0 must first become ready, and so must every replacement thread; 0: all threads start ready
 * The other names in #ifdef are the mistakes listed in docs/model.md. Spin must find each of them.
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

/*
 * States of a shard, as the control thread sees them. `loading` and `draining` are left out, because they allow no additional
 * step here; life.pml models them.
 */
#define SPAWNING 0
#define READY 1
#define ENDED 2
#define CLOSED 3

/* One ring for each HTTP thread, shard and kind, and one completion ring for each HTTP thread and shard. */
#define RING(h, s, kind) (((h) * SHARDS + (s)) * KINDS + (kind))
#define PAIR(h, s) ((h) * SHARDS + (s))
#define HOME(x) ((x) % HTTPS)
#define HAS_ENTRIES(r) (head[r] != tail[r])
#define HAS_ROOM(r) (tail[r] - head[r] < CAPACITY)
#define HAS_COMPLETIONS(h, s) (completionHead[PAIR(h, s)] != completionTail[PAIR(h, s)])

/* ── shared memory ─────────────────────────────────────────────────────────────────────────────────────────────────── */
byte owner[SLOTS];
bool started[SLOTS]; /* the word for the time of the handler's call contains a time */
byte request[SLOTS];  /* the nonce that the HTTP thread wrote */
byte response[SLOTS]; /* the nonce that the shard wrote */
bool expired[SLOTS];
byte head[HTTPS * SHARDS * KINDS];
byte tail[HTTPS * SHARDS * KINDS];
byte entry[HTTPS * SHARDS * KINDS * CAPACITY];
byte completionHead[HTTPS * SHARDS];
byte completionTail[HTTPS * SHARDS];
byte completionEntry[HTTPS * SHARDS * SLOTS]; /* one entry per slot, so the ring is never full */
byte permits[SHARDS];

/* ── messages and events ───────────────────────────────────────────────────────────────────────────────────────────── */
chan abandon[SHARDS] = [2] of { byte, byte };
bool saidReady[SHARDS];
bool go[SHARDS];
bool closeSent[SHARDS];
bool exited[SHARDS]; /* the worker's exit event */
bool spawn[SHARDS];
byte state[SHARDS];
bool toReclaim[HTTPS * SHARDS]; /* the HTTP thread was told of the exit and has not taken its slots back yet */
bool done[HTTPS];
bool closing;

/* ── bookkeeping for the assertions; no thread of the server reads it ──────────────────────────────────────────────── */
byte exits = EXITS;
byte responses[NONCES];
byte runs[NONCES];
#if HTTP_EXITS > 0
bool httpEnds; /* HTTP thread 0 exits before its next step */
#endif
bool shown[SHARDS]; /* only for mistakes: the control thread has seen a sign of the thread's end before its exit event */

inline respond(n) {
  responses[n]++;
  assert(responses[n] == 1)
}

/* ── HTTP thread ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* release: HTTP → FREE. The HTTP thread's own variables share the step, because no other thread reads them. */
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

/*
 * Moves a head forward, never back. Any thread. The function loops over a load and an exchange until the exchange succeeds; the
 * model has only that last pair.
 */
inline advanceHead(r, to) {
  if
  :: head[r] < to -> head[r] = to
  :: else
  fi
}

/* slotOldest: moves the head past stale entries, which makes room. */
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
 * sweep: takes all entries out and puts back those whose slots are queued in this ring, each slot once. Taking them out is one
 * step: the exchange on the head succeeds only if no other thread has moved the head since the entries were read, and only this
 * thread writes entries. Entries that are put back overwrite only entries that were already checked.
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

/*
 * Only this thread publishes in the ring. The entry and the tail are two steps, because a slow claimer may still read the entry
 * that is being overwritten.
 */
inline publish(r, x) {
  assert(HAS_ROOM(r));
  entry[(r) * CAPACITY + tail[r] % CAPACITY] = x;
  tail[r] = tail[r] + 1
}

/*
 * submit: HTTP → SUBMITTED(s) or BOUND(s), for any shard that is ready. The request gets 503 if no shard is ready, or if the ring is
 * full. The check of the head and the store of the owner word are one step, because room can only grow while this thread
 * publishes nothing.
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

/* The rest of submit: makes room if stale entries fill the ring, then writes the entry and the tail. */
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
 * take: FREE → HTTP, and writes the record. A stale entry may still name the slot, but the exchange of a thread that reads it fails
 * with FREE as well as with HTTP. All of this is one step, because no other thread may read the record before the submission.
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
 * recall: SUBMITTED or BOUND → HTTP. The load before the exchange shares its step: it only avoids an exchange that would fail,
 * because no other thread makes a slot SUBMITTED or BOUND.
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

/* revoke: CLAIMED → HTTP, although the shard still intends to start the request. */
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
 * The request has timed out, or its client has disconnected. The HTTP thread recalls or revokes it. If neither succeeds, it responds
 * with 504 and tells the shard. A failing recall shares the step of the revocation, because it would fail at any later time as well.
 * So does the response, because it changes only the HTTP thread's own variables.
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

/* takeOver: COMPLETED(c) → HTTP. Comparison and store are one step, because no other thread changes a COMPLETED word. */
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

/* poll: one step, because only this thread takes entries from the ring, and no other thread changes the slots that they name. */
inline reap(c) {
  atomic {
    y = completionEntry[PAIR(h, c) * SLOTS + completionHead[PAIR(h, c)] % SLOTS];
    completionHead[PAIR(h, c)]++;
    takeOver(y, c);
    y = 0
  }
}

/* The kernel has taken the bytes: HTTP → FREE. */
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

/* After the exit of a shard's thread: takes back the slots of this HTTP thread that the shard had, completions first. */
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

/* ── control thread: the lives of the shards ───────────────────────────────────────────────────────────────────────── */

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

/* On the exit event: empties the channel and tells every HTTP thread. */
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

/*
 * Once everything is taken back: resets the permits, then starts the next thread. All stores are one step, because the shard has
 * no thread that could observe their order.
 */
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

/* The final state: every request has had exactly one response, and all permits and slots have been given back. */
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

/* A single HTTP thread is also the control thread, and takes the slots back within the exit event. */
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

/* ── an HTTP thread that exits ─────────────────────────────────────────────────────────────────────────────────────── */

#if HTTP_EXITS > 0
/* Ends HTTP thread 0 whenever this process is scheduled, which may be at any step. */
proctype endHttp() {
  byte left = HTTP_EXITS;

  do
  :: left > 0 && !httpEnds && !closing ->
    left--;
    httpEnds = true
  :: closing -> break
  od
}

/* All connections end. Each of their requests counts as answered, whatever happens to its slot afterwards. */
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

/* Takes back a slot unless a shard has started it. Shards continue to run meanwhile. */
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

/* Empties the completion ring. A slot that was STARTED when takeBackOwn checked it may be in the ring by now. */
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

/*
 * HttpRecovery: the control thread does this once the HTTP thread has exited. Slots that shards have started stay with them, although
 * no client waits for the responses.
 */
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
  bool answered[SLOTS]; /* the request has had its response, but a shard still has its slot */
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

/* The thread may exit instead of making its next step. */
#define CAN_EXIT (exits > 0 && (EXITS > 1 || me == 0))
#ifdef RECLAIM_BEFORE_EXIT
/* The control thread sees the error first, while the thread may still run. */
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

/* tryStart: CLAIMED(me) → STARTED(me), unless revoke wins. The shard touches the slot only after this step. */
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

/*
 * Either the request has expired, and the shard records that. Or the shard writes the time into the slot and then calls the handler.
 * If the shard exits between the two, the request counts as started although its handler never ran.
 */
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

/* The slot was revoked: the shard owns nothing of it any more, and releases the permit. */
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
 * One step, for two reasons. Only this thread publishes in the ring, and only the HTTP thread reads it, beginning with the tail. The
 * permits of a shard are changed only by its own thread until that has exited.
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
 * complete: STARTED(me) → COMPLETED(me), then the permit, then the completion ring. If the handler has settled, its response is
 * written in the same step, because no other thread may read it before the store of the owner word.
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
    /* abandon: no client waits for the request any more, so its handler is disconnected from it. */
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
 * claim: SUBMITTED(s) or BOUND(s) → CLAIMED(me), for at most one slot of the ring, past stale entries. The shard takes the permit
 * first, in the same step as the load of the head, because no other thread changes its permits.
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
  byte view, seen; /* the slot and the nonce that a disconnected handler still reads */
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
