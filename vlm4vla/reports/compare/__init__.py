"""Is one run better than another, and how many episodes does it take to tell?"""
