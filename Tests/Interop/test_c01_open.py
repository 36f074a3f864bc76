# Rows: C1 C2 C3 C6 C18 C24
"""Opening: one set under ftok(path, project), whichever side comes first; the file, the project, the permissions."""

import os
import stat
import unittest

from perlside import Path, Server, ipcs, options, quoted, segment


class Opener(Path):
    def put(self, path=None, server=None, **parameters):
        target = f"/locks/{segment(f'path:{path or self.path}')}"
        return (server or self.server).request("PUT", target, **parameters)

    def listed(self, project=0):
        key = self.key_of(project)
        return [row for row in ipcs() if row["key"] == key]


class Open(Opener):
    def test_http_makes_it_and_perl_opens_it(self):
        made = self.put()
        self.assertEqual((made.status, made["limit_applied"]), (201, True), made)
        self.assertEqual((self.put().status, self.put()["limit_applied"]), (200, False))
        row = self.listed()[0]
        self.assertEqual((row["id"], row["mode"]), (made["sysv"]["id"], 0o666))
        self.assertEqual(made["sysv"]["key"], self.key_of())
        perl = self.user()
        self.assertEqual((perl.do("$c->id"), perl.do("$c->key")), (row["id"], self.key_of()))
        self.assertEqual(self.user_values(), [1])
        # Leasehold's own stand behind what was asked for: a ledger for each, and three that mark the set.
        self.assertEqual((row["nsems"], len(perl.list("$c->getall")), self.all[1]), (5, 5, 0))

    def test_perl_makes_it_and_http_opens_it(self):
        perl = self.user()
        row = self.listed()[0]
        self.assertEqual((row["id"], row["mode"], row["nsems"]), (perl.do("$c->id"), 0o666, 1))
        opened = self.put()
        self.assertEqual((opened.status, opened["limit_applied"]), (200, False), opened)
        self.assertEqual((opened["sysv"]["id"], opened["sysv"]["key"]), (row["id"], perl.do("$c->key")))
        lease = self.leased()
        self.assertEqual((lease["sysv"]["id"], lease["sysv"]["nsems"]), (row["id"], 1))
        self.release(lease)
        self.assertEqual(self.all, [1])

    def test_the_first_acquire_opens(self):
        lease = self.leased()
        self.assertEqual(self.user().do("$c->id"), lease["sysv"]["id"])
        self.release(lease)
        self.assertEqual(self.user_values(), [1])

    def test_asking_makes_neither_file_nor_set(self):
        answer = self.server.get(f"/keys/{segment(self.name)}")
        self.assertEqual((answer.status, answer["exists"], answer["sysv"]["key"]), (200, False, None), answer)
        self.assertEqual(self.at_http(self.name).status, 404)
        self.assertFalse(os.path.exists(self.path))
        perl = self.user(project=7)
        answer = self.server.get(f"/keys/{segment(self.name)}", project=7)
        self.assertEqual((answer.status, answer["exists"], answer["dialect"]), (200, True, "path"), answer)
        self.assertEqual((answer["sysv"]["key"], answer["sysv"]["id"]), (perl.do("$c->key"), perl.do("$c->id")))
        answer = self.server.get(f"/keys/{segment(self.name)}")
        self.assertEqual((answer["exists"], answer["sysv"]["key"]), (False, self.key_of()))
        self.assertEqual(self.listed(), [])

    def test_no_path(self):
        for key in ("path:", "path:relative"):
            self.assertProblem(self.at_http(key, "acquire", "POST"), 400, "bad-key")
        perl = self.perl()
        self.assertIsNone(perl.do("Concurrency->new(project => 1)"))
        self.assertTrue(perl.warnings)


class File(Opener):
    def test_it_is_made_and_never_truncated(self):
        self.put()
        self.assertTrue(stat.S_ISREG(os.stat(self.path).st_mode))
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o666 & ~mask)
        with open(self.path, "w", encoding="ascii") as file:
            file.write("mine")
        self.put()
        self.leased()
        with open(self.path, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_the_key_follows_the_inode(self):
        perl = self.user()
        lease = self.leased()
        old = lease["sysv"]["id"]
        os.rename(self.path, self.path + ".old")  # keeps the inode, so that the new file gets another
        lease_of_new = self.leased()
        self.assertNotEqual(lease_of_new["sysv"]["id"], old)
        self.assertEqual(perl.do("$c->id"), old)
        again = self.user()
        self.assertEqual(again.do("$c->id"), lease_of_new["sysv"]["id"])
        self.assertFalse(again.do("$c->acquire"))
        self.release(lease_of_new)
        self.release(lease)
        self.assertEqual(perl.list("$c->getall"), [1])
        self.assertEqual(self.user_values(), [1])

    def test_a_missing_folder(self):
        answer = self.put(os.path.join(self.folder, "no", "such", "file"))
        self.assertProblem(answer, 404, "no-such-path", errno="ENOENT")
        perl = self.perl()
        self.assertIsNone(perl.do(f"Concurrency->new({quoted(self.folder + '/no/such/file')})"))

    def test_outside_the_roots(self):
        server = Server("--path-roots", os.path.join(self.folder, "in"))
        os.mkdir(os.path.join(self.folder, "in"))
        os.mkdir(os.path.join(self.folder, "out"))
        self.addCleanup(server.stop)
        server.start()
        os.symlink(os.path.join(self.folder, "out"), os.path.join(self.folder, "in", "link"))
        os.symlink(os.path.join(self.folder, "out", "new"), os.path.join(self.folder, "in", "new"))
        os.symlink(os.path.join(self.folder, "in"), os.path.join(self.folder, "out", "back"))
        for outside in ("out/f", "in/../out/f", "in/link/f", "in", "../f"):
            answer = self.put(os.path.join(self.folder, outside), server)
            self.assertProblem(answer, 403, "path-not-allowed")
        answer = self.put(os.path.join(self.folder, "in", "new"), server)  # a link that leads to no file yet
        self.assertIn(answer.status, (403, 404), answer)
        self.assertEqual(os.listdir(os.path.join(self.folder, "out")), ["back"])
        self.assertEqual(self.put(os.path.join(self.folder, "in", "f"), server).status, 201)
        self.assertEqual(self.put(os.path.join(self.folder, "out", "back", "f"), server).status, 200)
        self.assertEqual(self.put(os.path.join(self.folder, "in", ".", "f"), server).status, 200)

    def test_touch(self):
        self.put()
        for touch, moved in ((None, True), ("true", True), ("false", False)):
            os.utime(self.path, (1000, 1000))
            self.put(**({} if touch is None else {"touch": touch}))
            self.assertEqual(os.stat(self.path).st_mtime != 1000, moved, touch)
        os.utime(self.path, (1000, 1000))
        for look in (self.at_http(self.name), self.server.get(f"/keys/{segment(self.name)}")):
            self.assertEqual(look.status, 200, look)
        self.assertEqual(os.stat(self.path).st_mtime, 1000, "looking is not using")
        self.user()
        self.assertNotEqual(os.stat(self.path).st_mtime, 1000)
        # The module fails where it should leave the file alone; where there is none it makes it, and so does HTTP.
        perl = self.perl()
        self.assertIsNone(perl.do(f"Concurrency->new({options(path=self.path, touch=0)})"))
        self.assertEqual(self.put(self.path + "2", touch="false").status, 201)
        self.assertTrue(perl.do(f"Concurrency->new({options(path=self.path + '3', touch=0)}) ? 1 : 0"))


class Project(Opener):
    def test_a_number_is_its_low_byte_and_a_string_its_code(self):
        self.put()
        for project, perls, top in (
            (5, 5, 0x05),
            (53, "5", 0x35),
            (261, 5, 0x05),
            ("a", "a", 0x61),
            ("-", "-", 0x2D),
            (255, 255, 0xFF),
            (0, 0, 0x00),
        ):
            with self.subTest(project=project):
                key = self.key_of(perls)
                self.assertEqual((key & 0xFFFFFFFF) >> 24, top)
                answer = self.put(project=project)
                self.assertEqual(answer["sysv"]["key"], key, answer)
                perl = self.perl()
                number = perls if isinstance(perls, int) else quoted(perls)
                perl.do(f"$c = Concurrency->new(path => {quoted(self.path)}, project => {number}); 1")
                self.assertEqual(perl.do("$c->id"), answer["sysv"]["id"])
                self.assertTrue(perl.do("$c->acquire"))
                self.assertProblem(self.acquire(project=project), 423, "locked")
                perl.exit()
                self.release(self.leased(project=project))

    def test_a_json_string_is_the_string(self):
        self.put()
        body = self.server.json_post(f"/locks/{segment(self.name)}/acquire", {"project": "5"})
        self.assertEqual(self.granted(body)["sysv"]["key"], self.key_of("5"))
        body = self.server.json_post(f"/locks/{segment(self.name)}/acquire", {"project": 5})
        self.assertEqual(self.granted(body)["sysv"]["key"], self.key_of(5))

    def test_what_perl_croaks_at(self):
        self.put()
        for bad in ("ab", "1.5", "", "ü"):
            self.assertProblem(self.acquire(project=bad), 400, "invalid-parameter", parameter="project")
        perl = self.perl()
        code = f"eval {{ Concurrency->new(path => {quoted(self.path)}, project => 'ab') }}; $@"
        self.assertIn("invalid project id", perl.do(code))

    def test_a_form_is_as_good_as_a_query(self):
        self.put()
        target = f"/locks/{segment(self.name)}/acquire"
        lease = self.granted(self.server.form_post(target, "project=5&limit=2&nsems=2"))
        self.assertEqual((lease["sysv"]["key"], lease["limit_applied"]), (self.key_of(5), True))
        self.assertEqual(self.user(project=5).list("$c->getall")[:2], [1, 2])
        self.release(lease)

    def test_two_projects_are_two_locks(self):
        first, second = self.leased(), self.leased(project=1)
        self.assertNotEqual(first["sysv"]["id"], second["sysv"]["id"])
        self.assertFalse(self.user(project=1).do("$c->acquire"))
        self.release(second)
        self.assertTrue(self.user(project=1).do("$c->acquire"))
        self.assertFalse(self.user().do("$c->acquire"))


class Permissions(Opener):
    def test_perm_is_for_a_new_set_alone(self):
        self.assertEqual(self.put(perm="0600").status, 201)
        self.assertEqual(self.listed()[0]["mode"], 0o600)
        self.assertEqual(self.put(perm="0640").status, 200)
        self.assertEqual(self.listed()[0]["mode"], 0o600)
        self.assertEqual(self.user().do("$c->stat->mode & 0777"), 0o600)
        for project, given, mode in ((1, "660", 0o660), (2, "0000", 0o000), (3, "0777", 0o777)):
            answer = self.put(project=project, perm=given)
            self.assertEqual(answer.status, 201, answer)
            self.assertEqual(self.listed(project)[0]["mode"], mode)
        for bad in ("rw", "8", "-1"):
            self.assertProblem(self.put(project=9, perm=bad), 400, "invalid-parameter", parameter="perm")
        self.assertProblem(self.put(project=9, perm="1000"), 400, "out-of-range", parameter="perm")
        answer = self.server.json_post(f"/locks/{segment(self.name)}/acquire", {"project": 9, "perm": 666})
        self.assertProblem(answer, 400, "invalid-parameter", parameter="perm")


if __name__ == "__main__":
    unittest.main()
