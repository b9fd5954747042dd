"""Every kind of key of the layout, in one place: what it holds and when it is gone.

The library and the client make the names (`client.Client.key`, ``functions/state.lua``); this says what they mean.
`docs/redis.md` is made of it, and a test holds it against the code.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FIELDS", "KEYS", "Key"]


@dataclass(frozen=True, slots=True)
class Key:
    """One kind of key: ``name`` as it begins behind the hash tag, ``of`` what follows that, ``type`` of Redis, what it
    ``holds``, and when it is ``gone``."""

    name: str
    of: str
    type: str
    holds: str
    gone: str


_CONTEXT = "with its context"
_NEVER = "never"

KEYS = (
    Key("serial", "", "string", "the number of the last context", _NEVER),
    Key("incarnation", "", "string", "a word that the store was given once: without it it was emptied", _NEVER),
    Key("epoch", "", "string", "how often leases were recovered after a failover", _NEVER),
    Key("plan", "<digest>", "string", "a plan as the functions read it", _NEVER),
    Key("flow", "<digest>", "string", "the data flow that a plan was made of", _NEVER),
    Key("names", "", "hash", "name of a context → its number", "at its end"),
    Key("c", "<context>", "hash", "a context; its fields are below", "at its end"),
    Key("staged", "<stage>", "list", "inputs of a new context that are too many for one call", "as they are in it"),
    Key("parents", "", "hash", "child context → its name, and what waits for it where", "at its end"),
    Key("k", "<context>:<operation>:<parameter>", "string", "candidates, four bytes each, when many", _CONTEXT),
    Key("q", "<context>:<input>", "list", "the queue of a lock, its holder first", "as it empties"),
    Key("l", "<context>", "set", "the locks that somebody stands in the queue of", "as it empties"),
    Key("ready", "<pool>", "list", "parameter sets that are dispatched, oldest first", "as they are leased"),
    Key("held", "<runner>", "hash", "what a runner holds → the number of the lease", "as it reports, or is lost"),
    Key("parked", "<plan>:<operation>", "list", "what waits for a place of its operation", "as it runs"),
    Key("running", "", "hash", "how many of an operation with a limit run", "never; it counts down to 0"),
    Key("delayed", "", "sorted set", "further tries, by when they are due", "as they are due"),
    Key("idle", "<pool>", "hash", "runners that wait", "as they are woken"),
    Key("wake", "<runner>", "list", "the bell of a runner that waits", "as it hears it, or is lost"),
    Key("last", "<runner>", "string", "what its last call leased, to repeat it", "as it is lost or leaves"),
    Key("runners", "<worker>", "hash", "runner of a worker → pool; nothing: it is gone", "with its worker"),
    Key("beats", "", "hash", "worker → count of its beats", "as it is expired or leaves"),
    Key("said", "", "hash", "worker → what it says of itself", "as it is expired or leaves"),
    Key("ended", "", "hash", "name of a context → what became of it", "as it was read, or its retention is over"),
    Key("inbox", "<owner>", "list", "contexts whose ends an owner has not heard of", "as it has, or after retention"),
    Key("letters", "<owner>", "hash", "copies of endings for whoever waits for another's", "as they were read"),
    Key("due", "", "sorted set", "when endings and inboxes are forgotten", "as they are"),
    Key("journals", "", "hash", "name of a context that has a journal → its number and plan", "with its journal"),
    Key("j", "<context>", "stream", "the journal of a context", "after the retention of its ending"),
    Key("kin", "<context>", "set", "the names of the contexts below one that have journals", "with its journal"),
    Key("blob", "<where and digest>", "string", "a large value, or where it is", "with its last reference, or unused"),
    Key("refs", "", "hash", "blob → how many holders it has", "with its last reference"),
    Key("holds", "<holder>", "set", "blobs of a context, an ending, a copy; @…: all of another", "with its holder"),
    Key("uploads", "", "sorted set", "bodies elsewhere that nobody refers to yet", "as somebody does, or collected"),
    Key("trash", "", "list", "bodies elsewhere that nobody refers to any more", "when collected"),
    Key("corrupt", "<context>", "any", "a context that is not what was written, to be looked at", "after a week"),
    Key("group", "<group>", "hash", "the state of a group of contexts, and its counters", "as it is dropped"),
    Key("open", "<group>", "hash", "contexts of a group that are open, by name; children not", "as they end"),
    Key("done", "<group>", "hash", "contexts of a group whose endings are kept → how they ended", "with their endings"),
    Key("grouped", "", "hash", "name of a context → its group", "with its ending"),
    Key("sets", "<group>", "hash", "input sets of an object in Kubernetes, and which were opened", "with the object"),
    Key("samples", "<group>", "list", "some failures of contexts of a group", "as it is dropped"),
    Key("aside", "<group>", "list", "what waits for its group to be resumed", "as it is"),
    Key("clearing", "<group>", "set", "contexts of a dropped group of which something is left", "in pieces"),
    Key("remains", "<context>", "hash", "what is left of a context that was dropped", "in pieces"),
    Key("chores", "", "list", "work that is too much for one call", "in pieces, one with each call"),
    Key("measured", "<data flow>", "hash", "what was counted and measured of it", "two weeks after the last of that"),
    Key("counts", "", "hash", "how many parameter sets of an operation were taken, dispatched and so on", _NEVER),
    Key("refused", "", "string", "reports that were not taken, as their lease was another's", _NEVER),
)  # fmt: skip
"""All kinds of keys. Each begins with the hash tag of its shard, as ``{tm1:0}``."""

FIELDS = (
    ("s", "its state"),
    ("i<number>", "an input: four bytes of length, what it is, its value"),
    ("n<uid>, u<number>", "the identities that inputs were given"),
    ("k<operation>.<parameter>", "candidates, while they are few"),
    ("b<number>", "a box: combinations that are still to be made"),
    ("p<operation>:<inputs>", "a parameter set that is open"),
    ("d<digest>", "a value that is wanted once"),
    ("w<operation>.<parameter>", "a parameter that waits for a validator"),
    ("m<digest>", "the names of child contexts"),
    ("v", "how many parameter sets wait for a lock, where inputs are forwarded"),
    ("r<sorting>.<run>", "inputs that are brought into order: four bytes each"),
    ("a<stage>", "how many inputs were new of many that were added at once"),
    ("o<number>, f<number>", "results and failures"),
)
"""The fields of a context."""
