"""The texts of alerts, English and Japanese, from templates and the fields of an alert."""
