"""The dashboard: Streamlit only, no torch, no arithmetic on arrays."""
