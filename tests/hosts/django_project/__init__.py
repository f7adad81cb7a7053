"""A Django project. Its settings hold for the whole process, so there is one, and every test that needs Django imports it."""

from __future__ import annotations

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        ROOT_URLCONF="tests.hosts.django_project.urls",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="only-for-the-tests-" * 3,
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        DATABASES={},
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()
