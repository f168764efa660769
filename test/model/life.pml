/*
 * A shard's life: spawning → loading → ready → draining → ended, then the next thread; and close(), which must complete whatever the
 * shards do. A thread may fail before it is ready, hang in its import, spin forever, or exit at any step. Runs need not end here,
 * because each thread is replaced. The LTL claims hold for every fair run.
 *
 * The names in #ifdef are the mistakes listed in docs/model.md. Spin must find each of them.
 */
#define SHARDS 2

#define SPAWNING 0
#define LOADING 1
#define READY 2
#define DRAINING 3
#define ENDED 4

byte state[SHARDS];      /* as the control thread sees it */
bool runs[SHARDS];       /* the shard has a thread that has not exited */
bool loaded[SHARDS];     /* message: the thread has started and imports the module */
bool said_ready[SHARDS]; /* message: ready */
bool go[SHARDS];         /* message to the shard */
bool close_sent[SHARDS]; /* message to the shard */
bool spawn[SHARDS];
bool terminated[SHARDS];
bool exited[SHARDS];
bool working[SHARDS];    /* the shard has claimed a request and not completed it */
bool closing;
bool closed;

proctype shard(byte me) {
begin:
end:
  atomic { spawn[me] -> spawn[me] = false; runs[me] = true };
  if
  :: atomic { loaded[me] = true }
  :: goto exit /* The thread cannot start. */
  fi;
  if
  :: atomic { said_ready[me] = true }
  :: goto exit /* The import fails. */
  :: goto hang /* The import never ends. */
  fi;
#ifdef FAULT_1
  /* The shard claims before the control thread has received its `ready`. */
  if
  :: working[me] = true
  :: true
  fi;
#endif
  if
  :: go[me]
  :: terminated[me] -> goto exit
  fi;
  do
  :: atomic { !close_sent[me] -> assert(state[me] == READY || state[me] == DRAINING); working[me] = true };
    if
    :: working[me] = false
    :: goto exit
    :: goto hang /* The handler spins. */
    fi
  :: atomic { close_sent[me] -> goto exit }
  :: atomic { terminated[me] -> goto exit }
  :: goto exit
  :: goto hang
  od;
hang:
  terminated[me];
exit:
  atomic {
    runs[me] = false;
    exited[me] = true;
    goto begin
  }
}

/* Handles every exit alike, in any state: empties the channel, takes everything back, then starts the next thread. */
inline atExit(s) {
  atomic {
#ifdef FAULT_1
    if
    :: state[s] == READY || state[s] == DRAINING -> working[s] = false
    :: else
    fi;
#else
    working[s] = false;
#endif
    exited[s] = false;
    loaded[s] = false;
    said_ready[s] = false;
    go[s] = false;
    close_sent[s] = false;
    terminated[s] = false;
    assert(!runs[s]);
    if
    :: closing -> state[s] = ENDED
    :: else -> state[s] = SPAWNING; assert(!working[s]); spawn[s] = true
    fi
  }
}

/*
 * The control thread, as far as one shard is concerned. It is a single thread, but its event loop handles every event eventually. A
 * separate process for each shard lets Spin's weak fairness express that. Each step is one turn of the loop.
 */
proctype life(byte s) {
end:
  do
  :: exited[s] -> atExit(s)
  :: d_step { !exited[s] && state[s] == SPAWNING && loaded[s] -> state[s] = LOADING }
  :: d_step { !exited[s] && state[s] == LOADING && said_ready[s] && !terminated[s] -> state[s] = READY; go[s] = true }
  :: d_step { closing && state[s] == READY -> state[s] = DRAINING; close_sent[s] = true }
  od
}

/* Timers. The start timeout may fire at any time before the shard is ready, that of close() at any time before the shard has ended. */
proctype timers(byte s) {
end:
  do
#ifndef NO_START_TIMEOUT
  :: d_step { (state[s] == SPAWNING || state[s] == LOADING) && runs[s] && !terminated[s] -> terminated[s] = true }
#endif
#ifndef CLOSE_WAITS
  :: d_step { closing && state[s] != ENDED && runs[s] && !terminated[s] -> terminated[s] = true }
#endif
  od
}

proctype user() {
  if
  :: true
  ::
    closing = true;
    state[0] == ENDED && state[1] == ENDED;
    assert(!runs[0] && !runs[1] && !working[0] && !working[1]);
    closed = true
  fi
}

/* close() completes. */
ltl close_ends { [] (closing -> <> closed) }
/* Every start ends: the shard becomes ready, is replaced, or is closed. */
ltl start_ends { [] ((state[0] == LOADING) -> <> (state[0] != LOADING)) }

init {
  atomic {
    spawn[0] = true;
    spawn[1] = true;
    run life(0);
    run life(1);
    run timers(0);
    run timers(1);
    run shard(0);
    run shard(1);
    run user()
  }
}
