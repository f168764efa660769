/* Two documents like those of real services: a repository of GitHub's REST API, and a FHIR R4 Bundle of patients and observations. */

const string = { type: 'string' };
const integer = { type: 'integer' };
const boolean = { type: 'boolean' };
const optionalString = { type: ['string', 'null'] };

/** @param {Record<string, unknown>} properties @param {string[]} [required] */
const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });
/** @param {unknown} items */
const array = (items) => ({ type: 'array', items });

const USER_URLS = [
  ...['followers', 'following', 'gists', 'starred', 'subscriptions', 'organizations', 'repos', 'events'],
  'received_events',
];
const REPOSITORY_URLS = [
  ...['archive', 'assignees', 'blobs', 'branches', 'collaborators', 'comments', 'commits', 'compare', 'contents'],
  ...['contributors', 'deployments', 'downloads', 'events', 'forks', 'git_commits', 'git_refs', 'git_tags', 'hooks'],
  ...[
    'issue_comment',
    'issue_events',
    'issues',
    'keys',
    'labels',
    'languages',
    'merges',
    'milestones',
    'notifications',
  ],
  ...['pulls', 'releases', 'stargazers', 'statuses', 'subscribers', 'subscription', 'tags', 'teams', 'trees'],
];
const COUNTS = ['forks_count', 'stargazers_count', 'watchers_count', 'size', 'open_issues_count'];
const FLAGS = [
  ...['is_template', 'has_issues', 'has_projects', 'has_wiki', 'has_pages', 'has_downloads', 'archived', 'disabled'],
  'allow_forking',
];
const PERMISSIONS = ['admin', 'maintain', 'push', 'triage', 'pull'];

/** @template T @param {string[]} names @param {(name: string) => T} make @param {string} suffix @returns {Record<string, T>} */
const each = (names, make, suffix = '') => Object.fromEntries(names.map((name) => [name + suffix, make(name)]));

export const repositorySchema = {
  ...object({
    id: integer,
    node_id: string,
    name: string,
    full_name: string,
    private: boolean,
    owner: { $ref: '#/$defs/user' },
    html_url: string,
    description: optionalString,
    fork: boolean,
    url: string,
    ...each(REPOSITORY_URLS, () => string, '_url'),
    homepage: optionalString,
    language: optionalString,
    ...each(COUNTS, () => integer),
    default_branch: string,
    topics: array(string),
    ...each(FLAGS, () => boolean),
    visibility: { enum: ['public', 'private', 'internal'] },
    pushed_at: { type: ['string', 'null'], format: 'date-time' },
    created_at: { type: ['string', 'null'], format: 'date-time' },
    updated_at: { type: ['string', 'null'], format: 'date-time' },
    permissions: object(each(PERMISSIONS, () => boolean)),
    license: { anyOf: [{ $ref: '#/$defs/license' }, { type: 'null' }] },
  }),
  $defs: {
    user: object({
      login: string,
      id: integer,
      node_id: string,
      avatar_url: string,
      url: string,
      html_url: string,
      ...each(USER_URLS, () => string, '_url'),
      type: string,
      site_admin: boolean,
    }),
    license: object({ key: string, name: string, spdx_id: optionalString, url: optionalString, node_id: string }),
  },
};

/** @param {number} i @param {() => string} word @param {(limit: number) => number} whole */
export function repository(i, word, whole) {
  const [login, name] = [word(), word()];
  const api = `https://api.github.com/repos/${login}/${name}`;
  return {
    id: 1_000_000 + i,
    node_id: `MDEwOlJlcG9zaXRvcnk${i}`,
    name,
    full_name: `${login}/${name}`,
    private: whole(2) === 0,
    owner: {
      login,
      id: whole(1e6),
      node_id: `MDQ6VXNlcj${i}`,
      avatar_url: `https://avatars.githubusercontent.com/u/${i}?v=4`,
      url: `https://api.github.com/users/${login}`,
      html_url: `https://github.com/${login}`,
      ...each(USER_URLS, (path) => `https://api.github.com/users/${login}/${path}`, '_url'),
      type: 'User',
      site_admin: false,
    },
    html_url: `https://github.com/${login}/${name}`,
    description: i % 4 === 0 ? null : `A library for ${word()} — with “${word()}”`,
    fork: whole(2) === 0,
    url: api,
    ...each(REPOSITORY_URLS, (path) => `${api}/${path}{/sha}`, '_url'),
    homepage: i % 3 === 0 ? null : `https://${name}.example.com`,
    language: 'TypeScript',
    ...each(COUNTS, () => whole(1e5)),
    default_branch: 'main',
    topics: ['json', 'http', word()],
    ...each(FLAGS, () => whole(2) === 0),
    visibility: 'public',
    pushed_at: '2024-01-26T19:06:43Z',
    created_at: '2011-01-26T19:01:12Z',
    updated_at: '2024-01-26T19:14:43Z',
    permissions: each(PERMISSIONS, () => whole(2) === 0),
    license:
      i % 5 === 0
        ? null
        : {
            key: 'mit',
            name: 'MIT License',
            spdx_id: 'MIT',
            url: 'https://api.github.com/licenses/mit',
            node_id: 'MDc6TGljZW5zZTEz',
          },
  };
}

const coding = object({ system: string, code: string, display: string }, []);
const concept = object({ coding: array(coding), text: string }, []);
const reference = object({ reference: string, display: string }, []);
const meta = object({ versionId: string, lastUpdated: string }, []);

export const bundleSchema = {
  ...object(
    {
      resourceType: { const: 'Bundle' },
      id: string,
      meta,
      type: { enum: ['searchset', 'history', 'collection'] },
      total: integer,
      entry: array(
        object(
          { fullUrl: string, resource: { oneOf: [{ $ref: '#/$defs/Patient' }, { $ref: '#/$defs/Observation' }] } },
          [],
        ),
      ),
    },
    ['resourceType'],
  ),
  $defs: {
    Patient: object(
      {
        resourceType: { const: 'Patient' },
        id: string,
        meta,
        active: boolean,
        name: array(object({ use: string, family: string, given: array(string) }, [])),
        telecom: array(object({ system: string, value: string, use: string }, [])),
        gender: { enum: ['male', 'female', 'other', 'unknown'] },
        birthDate: string,
        address: array(
          object({ use: string, line: array(string), city: string, postalCode: string, country: string }, []),
        ),
      },
      ['resourceType'],
    ),
    Observation: object(
      {
        resourceType: { const: 'Observation' },
        id: string,
        meta,
        status: string,
        category: array(concept),
        code: concept,
        subject: reference,
        effectiveDateTime: string,
        valueQuantity: object({ value: { type: 'number' }, unit: string, system: string, code: string }, []),
      },
      ['resourceType'],
    ),
  },
};

/** @param {number} i @param {() => string} word @param {(limit: number) => number} whole */
export function bundle(i, word, whole) {
  const meta = { versionId: '1', lastUpdated: '2024-02-01T10:00:00Z' };
  const patient = (/** @type {string} */ id) => ({
    resourceType: 'Patient',
    id,
    meta,
    active: true,
    name: [{ use: 'official', family: word(), given: [word(), 'Zoë'] }],
    telecom: [{ system: 'phone', value: `+49 30 ${whole(1e6)}`, use: 'home' }],
    gender: 'female',
    birthDate: '1980-04-01',
    address: [
      {
        use: 'home',
        line: [`${word()} ${whole(99)}`],
        city: 'Köln',
        postalCode: String(10_000 + whole(80_000)),
        country: 'DE',
      },
    ],
  });
  const observation = (/** @type {string} */ id, /** @type {string} */ of) => ({
    resourceType: 'Observation',
    id,
    meta,
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '29463-7', display: 'Body weight' }], text: 'Weight' },
    subject: { reference: `Patient/${of}` },
    effectiveDateTime: '2024-02-01T09:30:00Z',
    valueQuantity: { value: whole(1000) / 10, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
  });
  const resources = Array.from({ length: 10 }, () => word()).flatMap((id) => [patient(id), observation(word(), id)]);
  return {
    resourceType: 'Bundle',
    id: `bundle-${i}`,
    meta,
    type: 'searchset',
    total: resources.length,
    entry: resources.map((resource) => ({
      fullUrl: `https://example.com/fhir/${resource.resourceType}/${resource.id}`,
      resource,
    })),
  };
}
