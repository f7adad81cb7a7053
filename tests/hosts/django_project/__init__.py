"""A Django project. Its settings hold for the whole process, so there is one, and every test that needs Django imports it."""

from __future__ import annotations

import atexit
import tempfile
from pathlib import Path

import django
from django.conf import settings

if not settings.configured:
    folder = tempfile.TemporaryDirectory()  # users, for those tests that migrate it
    atexit.register(folder.cleanup)
    settings.configure(
        ROOT_URLCONF="tests.hosts.django_project.urls",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="only-for-the-tests-" * 3,
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(folder.name, "users.db")}},
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()
