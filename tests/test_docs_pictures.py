"""The pictures of the live page are all there, and all shown."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import PAGES, ROOT, text_of

PICTURES = ROOT / "docs/pictures"


class PictureTests(SynchronousTestCase):
    """docs/pictures, which docs/pictures.py takes."""

    def test_each_view_is_shown_in_light_and_dark(self) -> None:
        """The views are those of the page's own table."""
        views = re.findall(r"^  (\w+): \{ title", text_of("labnet/console/page/static/views.js"), re.MULTILINE)
        self.assertGreater(len(views), 8)
        shown = text_of("docs/console.rst")
        for view in views:
            for scheme in ("light", "dark"):
                self.assertIn(f"image:: pictures/{view}-{scheme}.png\n   :class: only-{scheme}", shown)

    def test_each_picture_is_shown_with_words(self) -> None:
        """None is left over, and none is too large for a page."""
        texts = "".join(text_of(page) for page in PAGES if page.suffix == ".rst")
        shown = re.findall(r"\.\. image:: pictures/(\S+)\n(?:   :(?!alt).*\n)*   :alt: \S", texts)
        self.assertEqual(set(shown), {path.name for path in PICTURES.glob("*.png")})
        for path in PICTURES.glob("*.png"):
            self.assertLess(path.stat().st_size, 250_000, path.name)
