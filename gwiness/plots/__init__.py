"""Core and evaluate values in, plotly figures and tables out. No Streamlit, no torch."""
