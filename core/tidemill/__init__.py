"""Tidemill runs data flows: operations that say what data they take and what data they give."""
