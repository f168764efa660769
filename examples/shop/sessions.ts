/* Who is logged in: a signed session token for 15 minutes, and a refresh token, known to the database, for a new one. */
import { createHash, randomBytes } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import {
  createApp,
  HttpError,
  type Middleware,
  type RequestTypes,
  type ShardRequest,
  type ShardResponse,
} from 'loopshard';
import { z } from 'zod';
import { sql } from './database.js';
import { Credentials, User } from './models.js';
import { hashPassword, isPassword } from './passwords.js';

declare module 'loopshard' {
  interface ShardRequest {
    user?: User;
  }
}

const SESSION_SECONDS = 15 * 60;
const REFRESH_SECONDS = 30 * 24 * 60 * 60;
/** Of nobody. */
const NO_PASSWORD = hashPassword('');
const Claims = z.object({ user: User });

export const sessions = createApp();

sessions.post('/users', { body: Credentials, response: User }, async (req, res) => {
  const { email, password } = req.body;
  const row = sql.get`INSERT INTO users (email, password, role) VALUES (${email}, ${hashPassword(password)}, 'customer')
    ON CONFLICT DO NOTHING RETURNING id, email, role`;
  if (row === undefined) throw new HttpError(409, 'This email address has an account already.');
  res.status(201);
  return logIn(User.parse(row), req, res);
});

sessions.post('/session', { body: Credentials, response: User }, (req, res) => {
  const row = sql.get`SELECT id, email, role, password FROM users WHERE email = ${req.body.email}`;
  const found = User.extend({ password: z.string() }).safeParse(row);
  // The time it takes does not tell whether there is such a user.
  const isRight = isPassword(req.body.password, found.success ? found.data.password : NO_PASSWORD);
  if (!found.success || !isRight) {
    throw new HttpError(401, 'Wrong email address or password.');
  }
  return logIn(found.data, req, res);
});

/** Each refresh token is good for once: of two shards that get the same one at the same time, one deletes it. */
sessions.post('/session/refresh', { response: User }, (req, res) => {
  const row = sql.get`DELETE FROM refresh_tokens WHERE hash = ${hash(req.cookies.refresh ?? '')} AND expires_at > ${Date.now()}
    RETURNING (SELECT json_object('id', id, 'email', email, 'role', role) FROM users WHERE id = user_id) AS user`;
  const found = z.object({ user: z.string() }).safeParse(row);
  if (!found.success) throw new HttpError(401, 'Log in again.');
  return logIn(User.parse(JSON.parse(found.data.user)), req, res);
});

sessions.delete('/session', (req, res) => {
  sql.run`DELETE FROM refresh_tokens WHERE hash = ${hash(req.cookies.refresh ?? '')}`;
  res.clearCookie('session', { path: '/' }).clearCookie('refresh', { path: '/session' });
});

/** Lets requests of a session pass. */
export const requireUser: Middleware = async (req, _res, next) => {
  req.user = await verify(req.cookies.session);
  return next();
};

export const requireAdmin: Middleware = async (req, _res, next) => {
  req.user = await verify(req.cookies.session);
  if (req.user.role !== 'admin') throw new HttpError(403, 'This is for administrators.');
  return next();
};

/** The user of a request that `requireUser` has let pass. */
export function userOf(req: ShardRequest<RequestTypes>): User {
  if (req.user === undefined) throw new Error('This route needs the middleware `requireUser`.');
  return req.user;
}

async function logIn(user: User, req: ShardRequest<RequestTypes>, res: ShardResponse): Promise<User> {
  const session = await new SignJWT({ user: User.parse(user) })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(`${SESSION_SECONDS} s`)
    .sign(secret());
  const refresh = randomBytes(32).toString('base64url');
  sql.run`INSERT INTO refresh_tokens VALUES (${hash(refresh)}, ${user.id}, ${Date.now() + REFRESH_SECONDS * 1_000})`;
  const common = { httpOnly: true, sameSite: 'strict', secure: req.protocol === 'https' } as const;
  res.cookie('session', session, { ...common, path: '/', maxAge: SESSION_SECONDS });
  res.cookie('refresh', refresh, { ...common, path: '/session', maxAge: REFRESH_SECONDS });
  return user;
}

async function verify(session = ''): Promise<User> {
  try {
    const { payload } = await jwtVerify(session, secret(), { algorithms: ['HS256'] });
    return Claims.parse(payload).user;
  } catch (cause) {
    if (cause instanceof errors.JOSEError) throw new HttpError(401, 'Log in first.', { cause });
    throw cause;
  }
}

/** The same on all shards: it lies in the database. */
function secret(): Uint8Array {
  return z.object({ value: z.instanceof(Uint8Array) }).parse(sql.get`SELECT value FROM secrets WHERE name = 'session'`)
    .value;
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
