import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, NotTheOwner, type Client } from '../src/api/client.js';
import { ownerOf } from '../src/api/owner.js';
import { Drafts, draftsOf } from '../src/write/drafts.js';
import { TypedForms } from '../src/write/typed.js';

const session = { tenant: 1, actor: 'ana', scopes: ['write'], csrf: null, record_url: null };
const owner = (of: Partial<typeof session>) => ownerOf('/v1', { ...session, ...of });
const ana = () => owner({});

/** A browser's storage: its names are its keys, as in a browser. */
class Storage {
  getItem = (name: string) => (this as unknown as Record<string, string>)[name] ?? null;
  setItem = (name: string, value: string) => void Object.assign(this, { [name]: value });
  removeItem = (name: string) => void Reflect.deleteProperty(this, name);
}

let fails: Error | undefined;
let sent: { text: string; owner: string; key: string }[];
const written = vi.fn(async () => undefined);
const signedOut = vi.fn();
const client = {
  write: async (_kind: string, _account: string, body: { text: string }, key: string, as: string) => {
    if (fails) throw fails;
    sent.push({ text: body.text, owner: as, key });
    return { event_id: 'e' };
  },
} as unknown as Client;
const opened: Drafts[] = [];

/** A tab of this person's, which hears what other tabs store. */
function tab(of: string = ana()): Drafts {
  const drafts = new Drafts(client, of, { changed: () => undefined, written, signedOut });
  opened.push(drafts);
  return drafts;
}
const note = (text: string) => ({ kind: 'note' as const, account: 'acme', body: { text }, typed: { text } });
const texts = (drafts: Pick<Drafts, 'all'>) => drafts.all.map((draft) => draft.body.text).sort();
const settle = () => vi.advanceTimersByTimeAsync(0);

function stored(key: string, newValue: string | null): void {
  dispatchEvent(Object.assign(new Event('storage'), { key, newValue }));
}

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  fails = new ApiError(0, 'away');
  const target = new EventTarget();
  for (const name of ['addEventListener', 'removeEventListener', 'dispatchEvent'] as const)
    vi.stubGlobal(name, target[name].bind(target));
  vi.stubGlobal('localStorage', new Storage());
  vi.stubGlobal('sessionStorage', new Storage());
  vi.stubGlobal('location', { href: 'https://activity.example/' });
});
afterEach(() => {
  for (const drafts of opened.splice(0)) drafts.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('what a person wrote and could not send', () => {
  it.each([
    ['another person of the workspace', { actor: 'ben' }],
    ['the same name in another workspace', { tenant: 2 }],
    ['a name that begins alike', { actor: 'ana x' }],
    ['a name that could be read as two', { actor: 'ana 1' }],
  ])('is neither shown to nor sent by %s', async (_, of) => {
    tab().add(note('mine'));
    await settle();
    opened[0]!.close();
    fails = undefined;
    const other = tab(owner(of));
    dispatchEvent(new Event('online'));
    await vi.advanceTimersByTimeAsync(120_000);
    expect([other.all, sent]).toEqual([[], []]);
    const again = tab();
    await settle();
    expect(sent.map((one) => [one.text, one.owner])).toEqual([['mine', ana()]]);
    expect(again.all).toEqual([]);
  });

  it('is not lost when two tabs write', async () => {
    const [one, two] = [tab(), tab()];
    one.add(note('ONE'));
    two.add(note('TWO'));
    await settle();
    one.close();
    two.close();
    expect(texts(tab())).toEqual(['ONE', 'TWO']);
  });

  it('appears in the other tab, which sends it under the same key where the first does not', async () => {
    const [one, two] = [tab(), tab()];
    one.add(note('ONE'));
    await settle();
    const [draft] = draftsOf(ana());
    one.close();
    stored(`activity draft ${ana()} ${draft!.key}`, JSON.stringify(draft));
    expect(texts(two)).toEqual(['ONE']);
    fails = undefined;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent.map((one) => one.key)).toEqual([draft!.key]);
    stored(`activity draft ${ana()} ${draft!.key}`, null);
    expect(two.all).toEqual([]);
  });

  it.each([
    ['the session is over', new ApiError(401, 'expired')],
    ['another person is signed in', new NotTheOwner()],
  ])('waits for them when %s', async (_, refusal) => {
    fails = refusal;
    const drafts = tab();
    drafts.add(note('kept'));
    await settle();
    expect(signedOut).toHaveBeenCalled();
    drafts.close();
    expect(draftsOf(ana()).map((draft) => [draft.body.text, draft.state])).toEqual([['kept', 'waiting']]);
  });
});

describe('what is typed into a form', () => {
  it('is there again for that person in that feed, and for nobody else', () => {
    const forms = new TypedForms(ana(), 'acme ');
    forms.open = 'note';
    forms.set('note', { text: 'half a sent' });
    forms.set('call', { minutes: '7' });
    const again = (of: string, scope: string) => {
      const { open } = new TypedForms(of, scope);
      return [open, new TypedForms(of, scope).of('note'), new TypedForms(of, scope).of('call')];
    };
    expect(again(ana(), 'acme ')).toEqual(['note', { text: 'half a sent' }, { minutes: '7' }]);
    const nothing = [undefined, {}, {}];
    expect([again(owner({ actor: 'ben' }), 'acme '), again(ana(), 'acme b')]).toEqual([nothing, nothing]);
  });
});
