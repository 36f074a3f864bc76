"""The pictures of the documents show what the product shows: their words, not their points."""

import os
import shutil
import unittest

import pictures

WHY_NOT = pictures.driven.packages()


def kept(name):
    with open(os.path.join(pictures.FOLDER, name), encoding="utf-8") as file:
        return file.read()


class Pictures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(pictures.scene())

    @unittest.skipIf(WHY_NOT, WHY_NOT)
    def test_the_pages_say_what_their_pictures_say(self):
        for name in pictures.PAGES:
            with self.subTest(name), pictures.page(self.server, "light", name) as driver:
                self.assertEqual(pictures.page_words(driver, name), kept(f"{name}.txt").strip(), "stale: make pictures")

    @unittest.skipUnless(shutil.which("tmux"), "SKIPPED: there is no tmux here (apt-get install tmux)")
    def test_the_terminal_says_what_its_picture_says(self):
        now = pictures.svg(pictures.terminal(self.server))
        self.assertEqual(pictures.svg_words(now), pictures.svg_words(kept("top.svg")), "stale: make pictures")


if __name__ == "__main__":
    unittest.main()
