"""Drives one libtorrent session by JSON lines: a request on stdin, its answer
on stdout. Ends when stdin does. Alerts go to stderr."""

import json
import os
import select
import sys
import time

import libtorrent as lt


class Driver:
    def __init__(self):
        self.session = None
        self.handle = None
        self.idle = False

    def start(self, ip, port, dht, bootstrap, preset, idle, settings):
        self.idle = idle
        pack = lt.high_performance_seed() if preset else lt.default_settings()
        alerts = lt.alert.category_t
        pack.update({
            "listen_interfaces": ("[%s]:%d" if ":" in ip else "%s:%d") % (ip, port),
            "outgoing_interfaces": ip,
            "enable_dht": dht,
            "dht_bootstrap_nodes": bootstrap,
            "dht_restrict_routing_ips": False,
            "dht_restrict_search_ips": False,
            "allow_multiple_connections_per_ip": True,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "alert_mask": alerts.error_notification | alerts.status_notification | alerts.connect_notification,
        })
        pack.update(settings)
        self.session = lt.session(pack)
        deadline = time.monotonic() + 5
        while self.session.listen_port() != port:
            if time.monotonic() > deadline:
                raise RuntimeError("cannot listen on %s:%d" % (ip, port))
            time.sleep(0.01)
        return {"version": lt.version}

    def add(self, dir, torrent="", magnet=""):
        if torrent:
            params = lt.add_torrent_params()
            params.ti = lt.torrent_info(torrent)
        else:
            params = lt.parse_magnet_uri(magnet)
        params.save_path = dir
        # Neither queueing nor a pause: the torrent is the only one.
        params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
        if self.idle:
            # It fetches only what it could pass on to several peers. Unlike the
            # upload mode, it does not make seeds hang up.
            params.flags |= lt.torrent_flags.share_mode
        self.handle = self.session.add_torrent(params)
        return {}

    def connect(self, ip, port):
        self.handle.connect_peer((ip, port))
        return {}

    def progress(self):
        if self.handle is None:
            raise RuntimeError("no torrent")
        s = self.handle.status()
        if s.errc.value():
            raise RuntimeError(s.errc.message())
        return {
            "state": str(s.state),
            "done": s.total_wanted_done if s.has_metadata else 0,
            "total": s.total_wanted if s.has_metadata else 0,
            "peers": s.num_peers,
            "upload_only": sum(1 for p in self.handle.get_peer_info() if p.flags & lt.peer_info.upload_only),
            "complete": bool(s.is_seeding),
        }

    def print_alerts(self):
        for a in self.session.pop_alerts():
            sys.stderr.write("%s %s\n" % (a.what(), a.message()))
        sys.stderr.flush()


def main():
    driver = Driver()
    pending = b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.5)
        if driver.session is not None:
            driver.print_alerts()
        if not readable:
            continue
        data = os.read(0, 1 << 16)
        if not data:
            return
        pending += data
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            request = json.loads(line)
            try:
                answer = getattr(driver, request.pop("op"))(**request)
                answer["ok"] = True
            except Exception as e:
                answer = {"ok": False, "error": "%s: %s" % (type(e).__name__, e)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


main()
