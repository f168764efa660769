/*
 * Doorbells in both directions: HTTP threads wake parked shards, shards wake parked HTTP threads, and a shard may exit while it rings.
 * A lost wake-up leaves a thread asleep although it has work. Spin reports that as an invalid end state, because every run ends:
 * each HTTP thread submits a bounded number of requests. Each access to shared memory is a separate step.
 *
 * Requests in the rings are counted but not identified, and shards do not steal: slots.pml covers both.
 *
 * HTTPS     number of HTTP threads
 * REQUESTS  requests per HTTP thread
 * EXITS     how many times shards exit by themselves, at any step
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
#define SHARDS 2

/* Shard s has doorbell s; HTTP thread h has doorbell SHARDS + h. */
#define BELLS (SHARDS + HTTPS)
#define BELL_OF(h) (SHARDS + (h))
#define PAIR(h, s) ((h) * SHARDS + (s))

byte bell[BELLS];
bool parked[BELLS];
bool asleep[BELLS]; /* the thread is in Atomics.wait, or its Atomics.waitAsync is pending */

byte submitted[HTTPS * SHARDS];
byte completed[HTTPS * SHARDS];
byte claimed[HTTPS * SHARDS];

/* Messages to event loops. They wake the thread without a doorbell. */
bool told[HTTPS * SHARDS]; /* the shard has exited, and the HTTP thread has not taken its slots back yet */
bool done[HTTPS];
bool reset[SHARDS]; /* only for a mistake: the parked word has not been reset yet */

byte exits = EXITS;

/* doorbellPark. `value` is the value that Atomics.wait compares the bell with. */
inline announce(me, value) {
#if defined(BELL_AFTER_ANNOUNCEMENT) || defined(BELL_AFTER_LOOK)
  parked[me] = true;
#else
  value = bell[me];
  parked[me] = true;
#endif
#ifdef BELL_AFTER_ANNOUNCEMENT
  value = bell[me]
#else
  skip
#endif
}

/* Atomics.wait: compares the bell and falls asleep in one step. */
inline sleep(me, value) {
#ifdef BELL_AFTER_LOOK
  value = bell[me];
#endif
  atomic {
    if
    :: bell[me] == value -> asleep[me] = true
    :: else
    fi
  }
}

#define HAS_COMPLETIONS(h) (completed[PAIR(h, 0)] > 0 || completed[PAIR(h, 1)] > 0)
#define ALL_DONE (done[0] && done[HTTPS - 1])

/* ── HTTP thread ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* doorbellRing: if several threads find the owner parked, only one of them rings. Clearing `asleep` is Atomics.notify. */
inline ring(other) {
  if
  :: !parked[other]
  :: else ->
    atomic {
      rang = parked[other];
      parked[other] = false
    };
    if
    :: rang ->
      bell[other]++;
      asleep[other] = false
    :: else
    fi;
    rang = false
  fi
}

inline submit(s) {
  next++;
  outstanding++;
#ifdef RING_BEFORE_SUBMISSION
  ring(s);
  submitted[PAIR(h, s)]++;
#else
  submitted[PAIR(h, s)]++;
#ifndef SUBMIT_WITHOUT_RING
  given[s] = true;
#endif
#endif
}

inline reap(s) {
  atomic {
    outstanding = outstanding - completed[PAIR(h, s)];
    completed[PAIR(h, s)] = 0
  }
}

/* After the exit of a shard's thread: requests that it had claimed get 502; those in its ring wait for the next thread. */
inline takeBack(s) {
  atomic {
    told[PAIR(h, s)] ->
    reap(s);
    outstanding = outstanding - claimed[PAIR(h, s)];
    claimed[PAIR(h, s)] = 0;
    told[PAIR(h, s)] = false
  }
}

/*
 * The shard may have exited after it had cleared the parked word and before its notify. Other threads then assume that the HTTP thread
 * is awake, so after an exit it checks the rings of all shards.
 */
#ifdef EXIT_WITHOUT_LOOK
#define AFTER_EXIT                                   \
  if                                                 \
  :: next == REQUESTS && outstanding == 0            \
  :: else -> goto sleeping                             \
  fi
#else
#define AFTER_EXIT skip
#endif

proctype http(byte h) {
  byte next, outstanding, value, s;
  bool given[SHARDS];
  bool rang;

turn:
  /* Sockets: any number of requests, to any shard. */
  do
  :: next < REQUESTS -> submit(0)
  :: next < REQUESTS -> submit(1)
  :: true -> break
  od;
  do
  :: given[0] -> given[0] = false; ring(0)
  :: given[1] -> given[1] = false; ring(1)
  :: !given[0] && !given[1] -> break
  od;
reapAll:
  do
  :: completed[PAIR(h, 0)] > 0 -> reap(0)
  :: completed[PAIR(h, 1)] > 0 -> reap(1)
  :: !HAS_COMPLETIONS(h) -> break
  od;
  if
  :: next == REQUESTS && outstanding == 0 -> goto over
  :: else
  fi;
  announce(BELL_OF(h), value);
#ifndef NO_LAST_LOOK
  if
  :: HAS_COMPLETIONS(h) -> goto awake
  :: else
  fi;
#endif
  sleep(BELL_OF(h), value);
sleeping:
  if
  :: !asleep[BELL_OF(h)]
  :: told[PAIR(h, 0)] -> takeBack(0); AFTER_EXIT
  :: told[PAIR(h, 1)] -> takeBack(1); AFTER_EXIT
#ifdef PARKED_RESET_LATE
  :: reset[0] -> parked[0] = false; reset[0] = false; goto sleeping
  :: reset[1] -> parked[1] = false; reset[1] = false; goto sleeping
#endif
  :: next < REQUESTS
  :: next < REQUESTS ->
    /* A parked HTTP thread that submits to an awake shard stays parked: no doorbell has to be rung. */
    if
    :: s = 0
    :: s = 1
    fi;
    submit(s);
    if
    :: !parked[s] ->
      atomic {
        given[s] = false;
        s = 0;
        goto sleeping
      }
    :: else
    fi;
    s = 0
  fi;
awake:
  atomic {
    asleep[BELL_OF(h)] = false;
    value = 0;
    parked[BELL_OF(h)] = false;
    goto turn
  };

over:
  done[h] = true;
end:
  do
  :: told[PAIR(h, 0)] -> takeBack(0)
  :: told[PAIR(h, 1)] -> takeBack(1)
  od
}

/* ── shard ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define MAY_EXIT                         \
  if                                     \
  :: exits > 0 -> exits--; goto exit     \
  :: true                                \
  fi

inline serve(h) {
  atomic {
    MAY_EXIT;
    if
    :: submitted[PAIR(h, me)] > 0 ->
      submitted[PAIR(h, me)]--;
      claimed[PAIR(h, me)]++
    :: else -> goto look
    fi
  };
  atomic {
    MAY_EXIT;
    claimed[PAIR(h, me)]--;
    completed[PAIR(h, me)]++
  };
  /* doorbellRing by a thread that may exit between any two steps. */
  if
  :: !parked[BELL_OF(h)]
  :: else ->
    atomic {
      MAY_EXIT;
      rang = parked[BELL_OF(h)];
      parked[BELL_OF(h)] = false
    };
    if
    :: rang ->
      atomic {
        MAY_EXIT;
        bell[BELL_OF(h)]++
      };
      atomic {
        MAY_EXIT;
        asleep[BELL_OF(h)] = false
      }
    :: else
    fi;
    rang = false
  fi
}

#define HAS_ENTRIES (submitted[PAIR(0, me)] > 0 || submitted[PAIR(HTTPS - 1, me)] > 0)

proctype shard(byte me) {
  byte value;
  bool rang;

look:
  do
  :: submitted[PAIR(0, me)] > 0 -> serve(0)
#if HTTPS == 2
  :: submitted[PAIR(1, me)] > 0 -> serve(1)
#endif
  :: !HAS_ENTRIES -> break
  od;
  announce(me, value);
#ifndef NO_LAST_LOOK
  if
  :: HAS_ENTRIES -> goto awake
  :: else
  fi;
#endif
  sleep(me, value);
  if
  :: !asleep[me]
  :: ALL_DONE -> goto closed
  :: atomic { exits > 0 -> exits--; goto exit }
  fi;
awake:
  atomic {
    asleep[me] = false;
    value = 0;
    parked[me] = false;
    goto look
  };

exit:
  /* The exit event. The control thread starts the next thread once every HTTP thread has taken its slots back. */
  atomic {
    value = 0;
    rang = false;
    asleep[me] = false;
    told[PAIR(0, me)] = true;
    told[PAIR(HTTPS - 1, me)] = true
  };
  atomic {
    !told[PAIR(0, me)] && !told[PAIR(HTTPS - 1, me)] ->
#ifdef PARKED_RESET_LATE
    reset[me] = true;
#else
    parked[me] = false;
#endif
    goto look
  };
closed:
  skip
}

init {
  atomic {
    run http(0);
#if HTTPS == 2
    run http(1);
#endif
    run shard(0);
    run shard(1)
  }
}
