/**
 * English words that carry no topic.
 *
 * Inverse document frequency would push most of them down anyway, but not in a corpus of a few documents,
 * and phrases must not run across them. The list is deliberately close to what information retrieval has
 * used since Fox, "A stop list for general text" (SIGIR Forum 24, 1989), without its nouns and adjectives,
 * which do say something in technical prose (`group`, `order`, `point`, `room`).
 */

const ARTICLES_AND_PRONOUNS = `
  a an the this that these those such same other another each every either neither both all any some none
  no one ones i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his
  himself she her hers herself it its itself they them their theirs themselves who whom whose which what
  whatever whichever whoever anyone anything anybody someone something somebody everyone everything
  everybody nobody nothing`;

const PREPOSITIONS_AND_CONJUNCTIONS = `
  of in on at by for with about against between into through during before after above below to from up
  down out off over under within without upon via per than as like unlike until till since toward towards
  across along around among amongst beside besides beyond despite except inside outside onto near and or
  but nor so yet if unless because although though while whereas whether when whenever where wherever why
  how however therefore thus hence moreover otherwise instead rather`;

const VERBS = `
  am is are was were be been being have has had having do does did doing done can could may might must
  shall should will would ought let lets get gets got getting make makes made making go goes going gone
  went come comes coming came put puts want wants wanted need needs needed see sees seen seeing saw know
  knows known seem seems say says said keep keeps kept give gives given giving take takes taken taking took
  become becomes use uses used using try tries trying tried think look looks looking work works working
  allow allows allowing allowed provide provides provided providing support supports supported supporting
  contain contains containing`;

const ADVERBS_AND_QUANTITIES = `
  not only just even also too very much more most many few less least several enough quite almost nearly
  already still again ever never always often sometimes usually here there then now once twice later soon
  maybe perhaps really actually simply easily well please currently especially particularly generally
  exactly basically first second last next two three four five way ways thing things lot lots bit kind
  sort etc new own able good better best easy simple possible available different various certain`;

const CONTRACTIONS = `
  don't doesn't didn't isn't aren't wasn't weren't hasn't haven't hadn't won't wouldn't can't cannot
  couldn't shouldn't mustn't it's that's there's here's what's who's let's i'm i've i'll i'd you're you've
  you'll you'd we're we've we'll we'd they're they've they'll he's she's dont doesnt isnt`;

const NOTATION = `
  e.g i.e eg ie cf vs aka fyi imo http https www com org html md readme ok yes
  foo bar baz qux obj str fn arr var const let`;

/** What documents call themselves and their parts. */
const DOCUMENT_WORDS = `
  doc docs documentation detail details summary introduction overview usage example
  examples information website readme chapter todo faq`;

const DATES = `
  jan feb mar apr jun jul aug sep sept oct nov dec january february april june july august september
  october november december mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday
  sunday gmt utc am pm`;

export const STOP_WORDS: ReadonlySet<string> = new Set(
  [
    ARTICLES_AND_PRONOUNS,
    PREPOSITIONS_AND_CONJUNCTIONS,
    VERBS,
    ADVERBS_AND_QUANTITIES,
    CONTRACTIONS,
    NOTATION,
    DOCUMENT_WORDS,
    DATES,
  ].flatMap((group) => group.trim().split(/\s+/u)),
);

/**
 * The grammatical words that every longer English text is full of. Their share tells English from other
 * languages and from lists of names; see `review.ts`.
 */
export const FUNCTION_WORDS: ReadonlySet<string> = new Set(
  `the of and to a in is you that it for on are as with this be by or from have an can not will if your
  but when at all they use which do there other how their has more its no than these then so some them
  into we our was should would may also only any it's don't`.split(/\s+/u),
);
