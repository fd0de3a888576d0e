"""Runs libtorrent sessions as DHT nodes for interop_test.go.

Reads one JSON object a line from stdin, does what its "do" says, and answers
with one JSON object a line on stdout. Byte strings are hexadecimal.
"""

import hashlib
import json
import sys
import tempfile
import time

import libtorrent as lt

sessions = []


def start(listen, bootstrap):
    c = lt.alert.category_t
    ses = lt.session({
        "listen_interfaces": listen,
        "enable_dht": True,
        "dht_bootstrap_nodes": bootstrap,
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_block_ratelimit": 1000,
        "dht_upload_rate_limit": 1000000,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "alert_mask": c.dht_notification | c.dht_operation_notification
        | c.status_notification | c.dht_log_notification | c.error_notification,
        "alert_queue_size": 100000,
    })
    sessions.append(ses)
    end = time.time() + 10
    while time.time() < end and not ses.listen_port():
        time.sleep(0.01)
    return {"session": len(sessions) - 1, "port": ses.listen_port()}


def alerts(ses, seconds):
    """Yields alerts until the time is up; the caller stops when satisfied."""
    end = time.time() + seconds
    while time.time() < end:
        ses.wait_for_alert(20)
        for a in ses.pop_alerts():
            yield a


def drain(ses):
    ses.pop_alerts()


def nodes(session):
    ses = sessions[session]
    ses.post_dht_stats()
    for a in alerts(ses, 5):
        if isinstance(a, lt.dht_stats_alert):
            return {"nodes": sum(b["num_nodes"] for b in a.routing_table)}
    return {"nodes": 0}


def sha1(text):
    return lt.sha1_hash(bytes.fromhex(text))


def traversal(ses, hash, seconds):
    """Follows the next lookup of hash: yields ("peers", list) for each answer,
    ("asked", None) for each query, and ("done", None) when it has ended."""
    mine = None
    for a in alerts(ses, seconds):
        if isinstance(a, lt.dht_get_peers_reply_alert):
            if str(a.info_hash) == hash:
                yield "peers", a.peers()
        elif isinstance(a, lt.dht_log_alert):
            text = a.message()
            if hash in text and "NEW" in text and mine is None:
                mine = text[text.index("["):text.index("]") + 1]
            if mine and mine in text:
                if " INVOKE " in text:
                    yield "asked", None
                if "COMPLETED" in text:
                    yield "done", None
                    return


def announce(session, hash, seconds=0):
    """Announces by having a torrent, since dht_announce lacks its flags in
    Python, and waits up to so many seconds for the end of the lookup."""
    ses = sessions[session]
    drain(ses)
    began = time.time()
    p = lt.parse_magnet_uri("magnet:?xt=urn:btih:" + hash)
    p.save_path = tempfile.gettempdir()
    # Not subject to the queue, which would let only a few announce.
    p.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    handle = ses.add_torrent(p)
    if not seconds:
        return {}
    handle.force_dht_announce()
    done = None
    for what, _ in traversal(ses, hash, seconds):
        if what == "done":
            done = time.time() - began
    time.sleep(0.5)  # the announces themselves follow the lookup
    return {"done": done}


def get_peers(session, hash, seconds):
    """Looks up once; the times are of the first peer and of the end, in s."""
    ses = sessions[session]
    drain(ses)
    began = time.time()
    ses.dht_get_peers(sha1(hash))
    peers, first, done, asked = set(), None, None, 0
    for what, found in traversal(ses, hash, seconds):
        now = time.time() - began
        if what == "peers":
            peers.update("%s:%d" % (p[0], p[1]) for p in found)
            if peers and first is None:
                first = now
        elif what == "asked":
            asked += 1
        else:
            done = now
    return {"peers": sorted(peers), "first": first, "done": done, "asked": asked}


def put_immutable(session, value):
    ses = sessions[session]
    drain(ses)
    target = ses.dht_put_immutable_item(bytes.fromhex(value))
    for a in alerts(ses, 20):
        if isinstance(a, lt.dht_put_alert):
            return {"target": str(target), "stored": a.num_success}
    return {"target": str(target), "stored": 0}


def text_of(item):
    if isinstance(item, dict):
        item = item["value"]
    if isinstance(item, str):
        item = item.encode()
    return item.hex() if isinstance(item, bytes) else ""


def get_immutable(session, target):
    ses = sessions[session]
    drain(ses)
    ses.dht_get_immutable_item(sha1(target))
    for a in alerts(ses, 20):
        if isinstance(a, lt.dht_immutable_item_alert):
            return {"value": text_of(a.item)}
    return {"value": ""}


def put_mutable(session, seed, public, value, salt):
    ses = sessions[session]
    drain(ses)
    h = bytearray(hashlib.sha512(bytes.fromhex(seed)).digest())
    h[0] &= 248
    h[31] = h[31] & 63 | 64
    ses.dht_put_mutable_item(bytes(h), bytes.fromhex(public), bytes.fromhex(value), bytes.fromhex(salt))
    for a in alerts(ses, 20):
        if isinstance(a, lt.dht_put_alert):
            return {"stored": a.num_success, "seq": a.seq}
    return {"stored": 0}


def get_mutable(session, public, salt):
    ses = sessions[session]
    drain(ses)
    ses.dht_get_mutable_item(bytes.fromhex(public), bytes.fromhex(salt))
    best = {"value": "", "seq": -1}
    for a in alerts(ses, 20):
        if isinstance(a, lt.dht_mutable_item_alert):
            if a.seq > best["seq"]:
                best = {"value": text_of(a.item), "seq": a.seq}
            if a.authoritative:
                break
    return best


def sample(session, host, port, target):
    ses = sessions[session]
    drain(ses)
    ses.dht_sample_infohashes((host, port), sha1(target))
    for a in alerts(ses, 20):
        if isinstance(a, lt.dht_sample_infohashes_alert):
            return {"samples": [str(s) for s in a.samples], "num": a.num_infohashes}
    return {"samples": [], "num": -1}


def log(session, seconds):
    return {"log": [a.message() for a in alerts(sessions[session], seconds)]}


for line in sys.stdin:
    request = json.loads(line)
    do = globals()[request.pop("do")]
    try:
        answer = do(**request)
    except Exception as e:  # told to the test, which fails with it
        answer = {"error": repr(e)}
    print(json.dumps(answer), flush=True)
