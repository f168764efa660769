/** Size of a job's slot, which contains two words on separate cache lines. */
export const JOB_BYTES = 128;
export const LIMIT_INDEX = 0;
export const RESULT_INDEX = 1;
/** Published instead of a job: the worker that claims it ends. */
export const STOP = -1;
